"""The slow path of attributes: what is no plain dict of plain values is cleaned as the OpenTelemetry API does it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from otel_trading import _native

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    Foreign = Callable[[type], None]

_INT64 = range(-(2**63), 2**63)


def attributes(given: object, keys: frozenset[str] | None = None) -> tuple[dict[str, object], Hashable] | None:
    """Attributes as plain values without secrets, and a key that tells series apart; ``None`` when they are unusable.

    Only those with these ``keys`` are kept, all when there are none.

    Sequences become tuples, mappings dicts, subclasses of plain types plain values and everything else text, as do
    integers beyond 64 bits. An empty key, and a key or value that has no text of its own, is left out.

    >>> attributes({"legs": ["buy", "sell"], "venue": None})[0]
    {'legs': ('buy', 'sell'), 'venue': None}
    >>> attributes({"a": 1})[1] == attributes({"a": 1.0})[1], attributes({"a": [1]})[1] == attributes({"a": [True]})[1]
    (False, False)
    >>> attributes(["venue"]) is None
    True
    """
    if given is None:
        return {}, _key({})
    if not isinstance(given, Mapping):
        return None
    try:
        cleaned = _mapping(given)
        if keys is not None:
            cleaned = {name: value for name, value in cleaned.items() if name in keys}
        cleaned = _native.redact_attributes(cleaned)
        return cleaned, _key(cleaned)
    except Exception:  # an object whose text cannot be made costs its measurement
        return None


def _mapping(
    given: Mapping[object, object], length: int | None = None, foreign: Foreign | None = None
) -> dict[str, object]:
    cleaned = {}
    for key, value in given.items():
        name = key_text(key)
        if name:
            cleaned[name] = clean(value, length, foreign)
    return cleaned


def clean(value: object, length: int | None = None, foreign: Foreign | None = None) -> object:
    """One value as a plain one, its texts cut to ``length`` characters; of a secret no part is left at the cut.

    ``foreign`` is told each type that OpenTelemetry does not have.

    >>> clean(10**20), clean(b"x"), clean(object()), clean(["buy", 1], 2)
    ('100000000000000000000', b'x', None, ('bu', 1))
    """
    if value is None or isinstance(value, (bool, bytes, int, float)):
        return _number(value)
    if isinstance(value, Mapping):
        return _mapping(value, length, foreign)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(clean(item, length, foreign) for item in value)
    if isinstance(value, str):
        text = _text(value)
        return text if length is None or len(text) <= length else _native.redact(text)[:length]
    if foreign is not None:
        foreign(type(value))
    return _text(value) if _tells_itself(value) else None


def key_text(key: object) -> str:
    """A key as text; empty when it cannot be one.

    >>> key_text("venue"), key_text(5), key_text(None)
    ('venue', '5', '')
    """
    return _text(key) if key and (isinstance(key, str) or _tells_itself(key)) else ""


def _number(value: bool | bytes | float | None) -> object:
    if value is None or isinstance(value, (bool, bytes)):
        return value
    return float.__float__(value) if isinstance(value, float) else _whole(value)


def _whole(value: int) -> int | str:
    whole = int.__int__(value)
    return whole if whole in _INT64 else str(whole)


def _text(value: object) -> str:
    """The text of a value; what has no UTF-8 becomes question marks."""
    text = str.__str__(value) if isinstance(value, str) else str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _tells_itself(value: object) -> bool:
    kind = type(value)
    return kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__


def _key(value: object) -> Hashable:
    """Equal for values of equal content and type only: ``True``, ``1`` and ``1.0`` are three."""
    if isinstance(value, tuple):
        return "sequence", tuple(map(_key, value))
    if isinstance(value, dict):
        return "mapping", frozenset((name, _key(item)) for name, item in value.items())
    if isinstance(value, float) and math.isnan(value):
        return "float", "nan"
    return type(value).__name__, value
