"""JSON in which decimals, times and bytes come back as what they were."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import json
import math
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from typing import Any
from uuid import UUID

_DICT = "$dict"


def dumps(value: object) -> str:
    """A value as text; ``TypeError`` names what cannot be written.

    Plain values look like any JSON; each other one is an object with one key that says what it is.

    >>> dumps({"cash": Decimal("0.10"), "open": [1, 2.5, None]})
    '{"cash": {"$decimal": "0.10"}, "open": [1, 2.5, null]}'
    """
    return json.dumps(_plain(value, "state"), ensure_ascii=False, allow_nan=False)


def loads(text: str) -> Any:  # noqa: ANN401 - whatever was written
    """The value of a text by ``dumps``.

    >>> loads(dumps({("BTC", 1): (Decimal("1E-8"), dt.timedelta(days=1), b"key")}))
    {('BTC', 1): (Decimal('1E-8'), datetime.timedelta(days=1), b'key')}
    """
    return _value(json.loads(text))


def _plain(value: Any, place: str) -> Any:  # noqa: ANN401, PLR0911 - one line for each kind
    if isinstance(value, Enum):
        return _plain(value.value, place)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, list):
        return [_plain(each, f"{place}[{number}]") for number, each in enumerate(value)]
    if isinstance(value, dict):
        return _mapping(value, place)
    for name, kinds, write, _ in _KINDS:
        if isinstance(value, kinds):
            return {name: write(value, place)}
    if hasattr(value, "model_dump"):
        return _plain(value.model_dump(), place)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {each.name: _plain(getattr(value, each.name), f"{place}.{each.name}") for each in fields}
    raise TypeError(f"{place} is a {type(value).__name__}, which the state cannot hold")


def _mapping(value: dict[Any, Any], place: str) -> dict[str, Any]:
    if all(isinstance(key, str) for key in value) and not (len(value) == 1 and next(iter(value)).startswith("$")):
        return {str(key): _plain(each, f"{place}.{key}") for key, each in value.items()}
    return {_DICT: [[_plain(key, place), _plain(each, f"{place}[{key!r}]")] for key, each in value.items()]}


def _all(value: Any, place: str) -> list[Any]:  # noqa: ANN401
    return [_plain(each, place) for each in value]


_KINDS: tuple[tuple[str, Any, Any, Any], ...] = (
    ("$decimal", Decimal, lambda value, _: str(value), Decimal),
    ("$datetime", dt.datetime, lambda value, _: value.isoformat(), dt.datetime.fromisoformat),
    ("$date", dt.date, lambda value, _: value.isoformat(), dt.date.fromisoformat),
    ("$time", dt.time, lambda value, _: value.isoformat(), dt.time.fromisoformat),
    (
        *("$timedelta", dt.timedelta, lambda value, _: [value.days, value.seconds, value.microseconds]),
        lambda parts: dt.timedelta(*parts),
    ),
    (
        *("$bytes", bytes | bytearray, lambda value, _: base64.b64encode(value).decode()),
        base64.b64decode,
    ),
    ("$uuid", UUID, lambda value, _: str(value), UUID),
    ("$path", PurePath, lambda value, _: str(value), Path),
    ("$tuple", tuple, _all, lambda items: tuple(map(_value, items))),
    ("$set", set, _all, lambda items: set(map(_value, items))),
    ("$frozenset", frozenset, _all, lambda items: frozenset(map(_value, items))),
    ("$float", (), None, float),
    (_DICT, (), None, lambda pairs: {_value(key): _value(each) for key, each in pairs}),
)
_READ = {name: read for name, _, _, read in _KINDS}


def _value(plain: Any) -> Any:  # noqa: ANN401
    if isinstance(plain, list):
        return [_value(each) for each in plain]
    if isinstance(plain, dict):
        if len(plain) == 1:
            [(name, inner)] = plain.items()
            if name in _READ:
                return _READ[name](inner)
        return {key: _value(each) for key, each in plain.items()}
    return plain
