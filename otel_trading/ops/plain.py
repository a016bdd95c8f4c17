"""Values as JSON has them, without secrets."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum

from otel_trading import redaction

_DEEPEST = 20


def written(value: object) -> bytes:
    """A value as JSON.

    >>> written({"rate": float("nan"), "at": datetime.fromtimestamp(0, UTC), "who": ("a", 1)})
    b'{"rate": null, "at": "1970-01-01T00:00:00.000Z", "who": ["a", 1]}'
    """
    return json.dumps(plain(value), ensure_ascii=False).encode(errors="replace")


def plain(value: object, depth: int = 0) -> object:
    """A value as JSON has it: what it does not know becomes text, a number that is none ``null``."""
    match value:
        case Enum():
            found = plain(value.value, depth)
        case None | bool() | int():
            found = value
        case float():
            found = value if math.isfinite(value) else None
        case datetime():
            found = moment(value.timestamp())
        case Mapping() if depth < _DEEPEST:
            found = {str(key): plain(each, depth + 1) for key, each in value.items()}
        case Iterable() if depth < _DEEPEST and not isinstance(value, str | bytes | bytearray):
            found = [plain(each, depth + 1) for each in value]
        case _ if depth < _DEEPEST and is_dataclass(value) and not isinstance(value, type):
            found = {each.name: plain(getattr(value, each.name), depth + 1) for each in fields(value)}
        case _:
            found = redaction.redact(str(value))
    return found


def moment(seconds: float) -> str:
    """A moment of seconds since 1970, in UTC.

    >>> moment(1700000000.5)
    '2023-11-14T22:13:20.500Z'
    """
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def moment_ns(nanoseconds: int) -> str | None:
    """A moment of nanoseconds since 1970; ``None`` for 0."""
    return moment(nanoseconds / 1e9) if nanoseconds else None
