"""Where values come from: arguments, environment, file, profile, each remembering its origin."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic_settings import JsonConfigSettingsSource, TomlConfigSettingsSource, YamlConfigSettingsSource

from otel_trading.extras import MissingExtraError, require
from otel_trading.settings import parse
from otel_trading.settings.options import PROFILES, Exporters, Headers, Settings, metadata

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


def file(path: Path | None) -> Layer:
    """A TOML, YAML or JSON file; tables are joined to names: ``[ops] port`` is ``ops_port``."""
    layer = Layer()
    if path is None:
        return layer
    try:
        content = _read(path)
    except MissingExtraError as error:
        layer.problems.append(f"configuration file {path}: {error}; the file is ignored")
        return layer
    except Exception as error:
        reason = " ".join(str(error).split())
        layer.problems.append(f"configuration file {path} cannot be read: {reason}; the file is ignored")
        return layer
    for name, raw in _flattened(content):
        if name in Settings.model_fields:
            layer.values[name] = Value(raw, f"file {path.name}", name, raw)
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
        Headers: parse.pairs,
        Headers | None: parse.pairs,
    }
    return parsers.get(annotation, parse.text)


def _read(path: Path) -> Mapping[str, object]:
    if not path.is_file():
        raise FileNotFoundError("there is no such file")
    match path.suffix.lower():
        case ".toml":
            return TomlConfigSettingsSource(Settings, toml_file=path)()
        case ".json":
            return JsonConfigSettingsSource(Settings, json_file=path)()
        case ".yaml" | ".yml":
            require("yaml", extra="yaml")
            return YamlConfigSettingsSource(Settings, yaml_file=path)()
        case suffix:
            raise ValueError(f"its ending is {suffix or 'missing'}; allowed: .toml, .yaml, .yml, .json")


def _flattened(content: Mapping[str, object], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, raw in content.items():
        name = prefix + str(key).replace("-", "_")
        if isinstance(raw, Mapping) and name not in Settings.model_fields:
            found += _flattened(raw, f"{name}_")
        else:
            found.append((name, raw))
    return found


def _nearest(name: str, known: Iterable[str]) -> str:
    candidates = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {candidates[0]}?)" if candidates else ""
