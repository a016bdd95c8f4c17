"""A line of JSON as people read it."""

from __future__ import annotations

import json
from typing import Any

_COLOURS = {"DEBUG": "36", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "1;41;97"}
_DIM, _BOLD = "2", "1"
_STACK = "exception.stacktrace"
_PLAIN = frozenset("._-:/+@%#")


def readable(line: bytes, *, colour: bool) -> bytes:
    """Time, level, service, event, message, data and trace of a line; a stack trace follows below it.

    Nothing in it can steer the terminal. What is no line of ours is shown as it is.

    >>> line = b'{"timestamp":"2025-01-15T14:23:45.123456Z","level":"ERROR","service":"risk","message":"halted",'
    >>> print(readable(line + b'"data":{"reason":"daily loss"},"tags":["risk"]}', colour=False).decode(), end="")
    2025-01-15 14:23:45.123456 ERROR    risk · halted  reason="daily loss" tags=["risk"]
    """
    try:
        fields = json.loads(line)
        return (_shown(fields, colour=colour) + "\n").encode("utf-8", "backslashreplace")
    except (ValueError, KeyError, TypeError, AttributeError):
        return _harmless(line.decode("utf-8", "backslashreplace")).encode() + b"\n"


def _shown(fields: dict[str, Any], *, colour: bool) -> str:
    def painted(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colour and text else text

    level = str(fields["level"])
    time = _harmless(str(fields["timestamp"]).replace("T", " ").removesuffix("Z"))
    who = [_harmless(str(fields.get(name) or "")) for name in ("service", "event")]
    message = painted(_harmless(str(fields["message"])), _BOLD)
    text = " · ".join([*filter(None, who), message] if message else filter(None, who))
    data = dict(fields.get("data") or {})
    stack = data.pop(_STACK, None)
    pairs = [f"{painted(_key(key), _DIM)}={_value(value)}" for key, value in data.items()]
    if fields.get("tags"):
        pairs.append(f"{painted('tags', _DIM)}={_value(fields['tags'])}")
    if fields.get("trace_id"):
        pairs.append(f"{painted('trace', _DIM)}={_harmless(str(fields['trace_id']))}")
    first = f"{painted(time, _DIM)} {painted(f'{_harmless(level):<8}', _COLOURS.get(level, ''))} {text}"
    lines = [first + ("  " + " ".join(pairs) if pairs else "")]
    if stack is not None:
        lines += [f"    {_harmless(each)}" for each in str(stack).splitlines()]
    return "\n".join(lines)


def _key(key: str) -> str:
    return _harmless(key)


def _value(value: object) -> str:
    if isinstance(value, str) and value and all(each.isalnum() or each in _PLAIN for each in value):
        return value
    return _harmless(json.dumps(value, ensure_ascii=False))


def _harmless(text: str) -> str:
    """Text without what terminals obey."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode("ascii") for each in text)
