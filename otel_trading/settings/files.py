"""Configuration files: TOML, YAML and JSON, read whole, and refused where nobody can have meant what they say."""

from __future__ import annotations

import json
import math
import os
import re
import stat
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from otel_trading.extras import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

SUFFIXES = (".toml", ".json", ".yaml", ".yml")
LARGEST = 1 << 20
"""Bytes of a configuration file."""

_MOST_VALUES = 100_000
"""Values of a file, those that its aliases repeat counted each time."""

_DEEPEST = 64
_LONG_KEY = re.compile(r"""(?:[\w"'-]+[ \t]*\.[ \t]*){64}""")


def read(path: Path) -> bytes:
    """What the file holds; ``OSError`` or ``ValueError`` where there is none, or none that can be a configuration."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would keep us waiting
    with open(descriptor, "rb") as source:  # noqa: PTH123 - the descriptor is open already
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("it is no file")
        content = source.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    return content


def parsed(content: bytes, suffix: str) -> Mapping[str, Any]:
    r"""The tables of a file by its ending; ``ValueError`` says what is wrong, ``MissingExtraError`` what is missing.

    A key that is there twice, a value that is no number (``nan``) and more aliases than fit are wrong in any format.

    >>> parsed(b"[ops]\nport = 9100", ".toml"), parsed(b"ops: {port: 9100}", ".yaml")
    ({'ops': {'port': 9100}}, {'ops': {'port': 9100}})
    >>> parsed(b'{"a": 1, "a": 2}', ".json")
    Traceback (most recent call last):
    ValueError: a is there twice
    """
    parsers: dict[str, Callable[[str], object]] = {
        ".toml": _toml,
        ".json": _json,
        ".yaml": _yaml,
        ".yml": _yaml,
    }
    parse = parsers.get(suffix.lower())
    if parse is None:
        raise ValueError(f"its ending is {suffix or 'missing'}; allowed: .toml, .yaml, .yml, .json")
    try:
        found = parse(content.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("its tables are nested too deeply") from None
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise ValueError(f"it holds no table of keys and values, but a {type(found).__name__}")  # noqa: TRY004 - one error
    _look_through(found)
    return found


def table(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The table of this name, with dots for those within others; without a name all of it.

    >>> table({"bots": {"basis": {"size": 1}}}, "bots.basis")
    {'size': 1}
    """
    for part in name.split(".") if name else ():
        found = content.get(part, {})
        if not isinstance(found, Mapping):
            raise ValueError(f"{name} is no table")  # noqa: TRY004 - as above
        content = found
    return content


def _toml(text: str) -> object:
    if _LONG_KEY.search(text):  # tomllib's time grows with the square of a key's length
        raise ValueError("its tables are nested too deeply")
    return tomllib.loads(text)


def _json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)} is there twice")
    return found


def _yaml(text: str) -> object:
    require("yaml", extra="yaml")
    import yaml

    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _measure(yaml.parse(text, Loader=kind))
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    loader = kind(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _weigh(root, {}, 0)
        return loader.construct_document(root)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error
    finally:
        loader.dispose()


def _measure(events: Iterable[Any]) -> None:
    """Refuse what is nested so deeply that putting it together would end the process."""
    depth = 0
    for event in events:
        name = type(event).__name__
        depth += name.endswith("StartEvent") - name.endswith("EndEvent")
        if depth > _DEEPEST:
            raise ValueError("its tables are nested too deeply")


def _weigh(node: Any, known: dict[int, int], depth: int) -> int:  # noqa: ANN401 - any of YAML's nodes
    """How many values a node stands for, each alias counted as all that it repeats."""
    if depth > _DEEPEST:
        raise ValueError("its tables are nested too deeply, or hold themselves")
    weight = known.get(id(node))
    if weight is not None:
        return weight
    parts: list[Any] = []
    if isinstance(node.value, list):
        if node.id == "mapping":
            _keys_once(node)
            parts = [part for pair in node.value for part in pair]
        else:
            parts = node.value
    weight = 1 + sum(_weigh(part, known, depth + 1) for part in parts)
    if weight > _MOST_VALUES:
        raise ValueError(f"it holds more than {_MOST_VALUES} values")
    known[id(node)] = weight
    return weight


def _keys_once(node: Any) -> None:  # noqa: ANN401 - as above
    keys = [str(key.value) for key, _ in node.value if key.id == "scalar" and key.value != "<<"]
    if len(set(keys)) != len(keys):
        raise ValueError(f"{next(key for key in keys if keys.count(key) > 1)} is there twice")


def _look_through(content: Mapping[str, Any]) -> None:
    """Refuse what is too much and what is no number; what YAML's aliases share is counted already."""
    waiting: list[tuple[str, object, int]] = [("", content, 0)]
    count = 0
    while waiting:
        place, value, depth = waiting.pop()
        count += 1
        if count > _MOST_VALUES:
            raise ValueError(f"it holds more than {_MOST_VALUES} values")
        if depth > _DEEPEST:
            raise ValueError("its tables are nested too deeply")
        if isinstance(value, float) and math.isnan(value):
            raise ValueError(f"{place} is no number")
        if isinstance(value, Mapping):
            waiting += [(f"{place}.{key}" if place else str(key), each, depth + 1) for key, each in value.items()]
        elif isinstance(value, list):
            waiting += [(place, each, depth + 1) for each in value]
