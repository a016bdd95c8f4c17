"""Secrets are masked before anything is written or sent: what Python hands to others goes through here.

The work is done in the core, which looks at names of keys, at names beside values in a text, and at known shapes. What
is found becomes ``[redacted:<kind>]``, and is counted by kind.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from otel_trading import _native

if TYPE_CHECKING:
    import logging


def redact(text: str) -> str:
    """A text without its secrets; the same object when it has none.

    >>> redact("GET /api/v3/order?symbol=BTCUSDT&signature=5f2c9a")
    'GET /api/v3/order?symbol=BTCUSDT&signature=[redacted:signature]'
    >>> redact("order 7f3a9c12 filled at 43210.12")
    'order 7f3a9c12 filled at 43210.12'
    """
    return _native.redact(text)


def attributes(given: Any) -> Any:  # noqa: ANN401 - whatever a bot hands over
    """Attributes without secrets in them; the same object when there are none, or when it is no mapping.

    >>> attributes({"api_key": "abc", "symbol": "BTC/USDT", "headers": {"OK-ACCESS-SIGN": "x"}})
    {'api_key': '[redacted:api_key]', 'symbol': 'BTC/USDT', 'headers': {'OK-ACCESS-SIGN': '[redacted:signature]'}}
    """
    if type(given) is dict:
        return _native.redact_attributes(given)
    if isinstance(given, Mapping):
        own = dict(given)
        clean = _native.redact_attributes(own)
        return given if clean is own else clean
    return given


def value(given: Any, key: str = "") -> Any:  # noqa: ANN401 - any value
    """A value without secrets; under a key, what its name says counts, too.

    >>> value("hunter2", "password"), value(["wss://venue.example/?token=abcdef0123456789", 5])
    ('[redacted:password]', ['wss://venue.example/?token=[redacted:token]', 5])
    """
    return _native.redact_value(given, key)


def use(patterns: Sequence[str], keys: Sequence[str], *, enabled: bool) -> list[str]:
    """Redact by these patterns and names of keys, too; what cannot be used, in a sentence each.

    >>> use(["ACC-[0-9]{6}", "["], ["account"], enabled=True)
    ["redaction: '[' is not usable: unclosed character class; the others hold"]
    >>> redact("ACC-123456"), use([], [], enabled=True)
    ('[redacted:pattern]', [])
    """
    unusable = _native.redaction(list(patterns), list(keys), enabled)
    return [f"redaction: {given!r} is not usable: {why}; the others hold" for given, why in unusable]


def counts() -> dict[str, int]:
    """How often something was masked, by what it was."""
    return _native.redactions()


def printed(record: logging.LogRecord) -> logging.LogRecord:
    """A log record whose text, arguments and exception hold no secret; the same one when they hold none."""
    try:
        message = record.getMessage()
        clean = _native.redact(message)
        own = copy.copy(record)
        if clean != message:
            own.msg, own.args = clean, None
        if record.exc_info and not record.exc_text:
            own.exc_text = _traceback(record)
        own.exc_text = own.exc_text and _native.redact(own.exc_text)
    except Exception:  # who prints it will say what is wrong with it
        return record
    return own


def _traceback(record: logging.LogRecord) -> str:
    import logging

    return logging.Formatter().formatException(cast("Any", record.exc_info))


os.register_at_fork(after_in_child=_native.reset_redactions)
