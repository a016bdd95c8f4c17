"""What the exceptions of ccxt's mean for a request or an order."""

from __future__ import annotations

from otel_trading.redaction import redact
from otel_trading.trading.conventions.enums import RejectReason

_LONGEST = 300
"""Characters of an error's text that are told: some venues answer with a whole page."""
_TOO_MANY = frozenset({"RateLimitExceeded", "DDoSProtection"})
_REFUSALS = frozenset({"ExchangeError", "RateLimitExceeded", "DDoSProtection", "OnMaintenance", "InvalidNonce"})
"""Classes of errors by which the venue, or ccxt itself, said no: the order does not exist."""
_SILENCE = frozenset({"BadResponse", "NullResponse", "RequestTimeout"})
"""Classes of errors that leave it open."""


def text_of(error: BaseException) -> str:
    """What an error says, without secrets: ccxt puts signed URLs into it.

    >>> text_of(RuntimeError("binance GET https://api.binance.com/api/v3/order?symbol=BTCUSDT&signature=5f2c9a"))
    'binance GET https://api.binance.com/api/v3/order?symbol=BTCUSDT&signature=[redacted:signature]'
    """
    said = redact(str(error))
    return said if len(said) <= _LONGEST else f"{said[: _LONGEST - 3]}..."


def too_many(error: BaseException) -> bool:
    """Whether a venue refused a request as one too many.

    >>> class DDoSProtection(Exception): ...
    >>> too_many(DDoSProtection("429")), too_many(ValueError())
    (True, False)
    """
    return _classes(type(error)) & _TOO_MANY != frozenset()


def refused(error: BaseException) -> bool:
    """Whether it is certain that an order was not accepted; else nobody knows.

    >>> class ExchangeError(Exception): ...
    >>> class InvalidOrder(ExchangeError): ...
    >>> class RequestTimeout(Exception): ...
    >>> refused(InvalidOrder("amount")), refused(RequestTimeout())
    (True, False)
    """
    classes = _classes(type(error))
    return bool(classes & _REFUSALS) and not classes & _SILENCE


def reason_of(error: BaseException) -> RejectReason:
    """Why an order was refused, by the class of the error."""
    return RejectReason.of_error(error) or RejectReason.OTHER


def _classes(kind: type[BaseException]) -> frozenset[str]:
    return frozenset(each.__name__ for each in kind.__mro__)
