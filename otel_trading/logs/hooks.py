"""What the native log calls call where speed does not matter. None of it raises.

The names are those the core looks up when it is connected.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from otel_trading import values

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Decimal"]

_Described = tuple[type[BaseException] | None, BaseException | None, "TracebackType | None"]


def clean(value: object, length: int) -> object:
    """A value as plain ones, texts cut to ``length`` characters.

    >>> clean(["buy", 1, object()], 2)
    ('bu', 1, None)
    """
    try:
        return values.clean(value, length)
    except Exception:  # the bot's own ``__str__``, or a sequence that contains itself
        return None


def key_text(key: object) -> str:
    """A key as text; empty when it cannot be one."""
    try:
        return values.key_text(key)
    except Exception:
        return ""


def mapping(given: object) -> dict[object, object] | None:
    """A mapping as a dict; ``None`` when it is none."""
    try:
        return dict(given) if isinstance(given, Mapping) else None
    except Exception:
        return None


def text(given: object) -> str:
    """Anything as text.

    >>> text(5), text(None)
    ('5', 'None')
    """
    try:
        return str(given)
    except Exception as error:
        return f"<{type(given).__name__}: {type(error).__name__}>"


def format_message(message: object, *arguments: object) -> str:
    """A message with arguments as the standard library puts them in; what does not fit stands behind it.

    >>> format_message("order %s", 5), format_message("order", 5)
    ('order 5', 'order (5,)')
    """
    try:
        only = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], Mapping) else arguments
        return text(message) % only
    except Exception:
        return f"{text(message)} {text(arguments)}"


def exception(error: object) -> dict[str, object] | None:
    """The attributes that describe an exception; for ``True`` of the one that is being handled.

    >>> exception(ValueError("no such symbol"))["exception.message"]
    'no such symbol'
    """
    kind, value, trace = _described(error)
    if kind is None:
        return None
    module = kind.__module__
    described: dict[str, object] = {
        "exception.type": kind.__qualname__ if module == "builtins" else f"{module}.{kind.__qualname__}",
        "exception.message": text(value),
    }
    try:
        described["exception.stacktrace"] = "".join(traceback.format_exception(kind, value, trace))
    except Exception:
        return described
    return described


def _described(error: object) -> _Described:
    if isinstance(error, BaseException):
        return type(error), error, error.__traceback__
    if isinstance(error, tuple) and len(error) == len(_NOTHING) and isinstance(error[0], type):
        return error
    return sys.exc_info() if error is True else _NOTHING


_NOTHING: _Described = (None, None, None)


def span_context(context: object) -> tuple[int, int, int] | None:
    """What identifies a span, as numbers; ``None`` when it is no valid context."""
    try:
        if context.is_valid:  # type: ignore[attr-defined]  # else it is no context
            return context.trace_id, context.span_id, int(context.trace_flags)  # type: ignore[attr-defined]
    except Exception:
        return None
    return None
