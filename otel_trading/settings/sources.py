"""Where values come from: arguments, environment, file, profile, each remembering its origin."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.extras import MissingExtraError
from otel_trading.settings import files, parse
from otel_trading.settings.keys import KEYS, OF_THE_BOT, PARTS
from otel_trading.settings.options import PROFILES, Exporters, Headers, Settings, Texts, metadata

if TYPE_CHECKING:
    from otel_trading.settings.options import Parser

FILE_VARIABLE = "OTEL_TRADING_CONFIG"
OWN_PREFIX = "OTEL_TRADING_"
DEFAULT_FILES = ("otel-trading.toml", "otel-trading.yaml", "otel-trading.yml", "otel-trading.json")

_OTHER_VARIABLES = frozenset(
    {
        FILE_VARIABLE,
        "OTEL_TRADING_CACHE",
        "OTEL_TRADING_CLOCK",
        "OTEL_TRADING_DATA",
        "OTEL_TRADING_STACK_DATA",
        "OTEL_TRADING_PROMETHEUS_URL",
        "OTEL_TRADING_JAEGER_URL",
        "OTEL_TRADING_LOKI_URL",
        "OTEL_TRADING_GRAFANA_URL",
    }
)
"""Variables with our prefix that are no options of ``configure()``: the stack's, the doctor's, the tests'."""


@dataclass(frozen=True, slots=True)
class Value:
    """A raw value, the place it stands in, such as ``environment OTEL_SERVICE_NAME``, and how it is written there."""

    raw: object
    origin: str
    setting: str
    written: object


@dataclass(slots=True)
class Layer:
    """One source's values by option, and those that cannot be read; a higher layer wins."""

    values: dict[str, Value] = field(default_factory=dict)
    rejected: list[tuple[str, Value]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    content: bytes | None = None
    """What the file held."""


def arguments(given: Mapping[str, object]) -> Layer:
    """The arguments of ``configure()``; a name that is no option is reported with the nearest one."""
    layer = Layer()
    for name, raw in given.items():
        if name in Settings.model_fields:
            layer.values[name] = Value(raw, "argument", name, raw)
        else:
            layer.problems.append(f"argument {name} is no option{_nearest(name, Settings.model_fields)}; ignored")
    return layer


def environment(variables: Mapping[str, str]) -> Layer:
    """``OTEL_TRADING_*`` first, then the standard variables; an empty variable counts as not set."""
    layer = Layer()
    for name in Settings.model_fields:
        for variable, parser in env_names(name):
            content = variables.get(variable, "").strip()
            if not content:
                continue
            try:
                layer.values[name] = Value(parser(content), f"environment {variable}", variable, content)
            except ValueError:
                layer.rejected.append((name, Value(None, f"environment {variable}", variable, content)))
                continue
            break
    known = {own_name(name) for name in Settings.model_fields} | _OTHER_VARIABLES
    layer.problems += [
        f"environment variable {variable} is no option{_nearest(variable, known)}; ignored"
        for variable in sorted(variables)
        if variable.startswith(OWN_PREFIX) and variable not in known
    ]
    return layer


def file(path: Path | None, content: bytes | None = None) -> Layer:
    """A TOML, YAML or JSON file; tables are joined to names: ``[ops] port`` is ``ops_port``.

    Without its ``content`` the file is read.
    """
    layer = Layer()
    if path is None:
        return layer
    try:
        layer.content = content if content is not None else _read(path)
        tables = files.parsed(layer.content, path.suffix)
    except MissingExtraError as error:
        layer.problems.append(f"configuration file {path}: {error}; the file is ignored")
        return layer
    except Exception as error:
        reason = " ".join(str(error).split())
        layer.problems.append(f"configuration file {path} cannot be read: {reason}; the file is ignored")
        return layer
    for name, raw, key, written in _flattened(tables):
        if name in Settings.model_fields:
            layer.values[name] = Value(raw, f"file {path.name}", key, written)
        else:
            layer.problems.append(
                f"configuration file {path}: {name} is no option{_nearest(name, Settings.model_fields)}; ignored"
            )
    return layer


def profile(name: str) -> Layer:
    """The defaults of a profile."""
    return Layer({option: Value(raw, f"profile {name}", option, raw) for option, raw in PROFILES[name].items()})


def find_file(given: object, variables: Mapping[str, str], folder: Path) -> Path | None:
    """The file named by argument or variable, else the first of the default names in the working folder."""
    named = given or variables.get(FILE_VARIABLE, "").strip()
    if named:
        return Path(str(named)).expanduser()
    try:
        return next((folder / name for name in DEFAULT_FILES if (folder / name).is_file()), None)
    except OSError:
        return None


def own_name(option: str) -> str:
    """The option's own environment variable.

    >>> own_name("ops_port")
    'OTEL_TRADING_OPS_PORT'
    """
    return OWN_PREFIX + option.upper()


def env_names(option: str) -> list[tuple[str, Parser]]:
    """The variables that set an option, strongest first, each with its parser."""
    natural = _natural_parser(option)
    named = [entry if isinstance(entry, tuple) else (entry, natural) for entry in metadata(option)["env"]]
    return [(own_name(option), natural), *named]


def _natural_parser(option: str) -> Parser:
    annotation = Settings.model_fields[option].annotation
    parsers: dict[object, Callable[[str], object]] = {
        bool: parse.boolean,
        bool | None: parse.boolean,
        Exporters: parse.names,
        Texts: parse.lines,
        Headers: parse.pairs,
        Headers | None: parse.pairs,
    }
    return parsers.get(annotation, parse.text)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    return files.read(path)


def _flattened(content: Mapping[str, object], above: str = "") -> list[tuple[str, object, str, object]]:
    """Options and their values, and both as the file has them; parts of one table come together."""
    found: list[tuple[str, object, str, object]] = []
    parts: dict[str, dict[str, object]] = {}
    for own, raw in content.items():
        key = above + str(own).replace("-", "_")
        name = key.replace(".", "_")
        whole, part = PARTS.get(key, ("", ""))
        if key == OF_THE_BOT and isinstance(raw, Mapping):
            continue
        if key in KEYS:
            found += [(option, KEYS[key].convert(raw), key, raw) for option in KEYS[key].options]
        elif whole in Settings.model_fields and name not in Settings.model_fields:
            parts.setdefault(whole, {})[part] = raw
        elif isinstance(raw, Mapping) and name not in Settings.model_fields:
            found += _flattened(raw, f"{key}.")
        else:
            found.append((name, raw, name, raw))
    given = {name: raw for name, raw, _, _ in found}
    for name, table in parts.items():
        same = given.get(name, {})
        together = {**table, **same} if isinstance(same, Mapping) else same
        found.append((name, together, name, together))
    return found


def _nearest(name: str, known: Iterable[str]) -> str:
    candidates = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {candidates[0]}?)" if candidates else ""
