"""A request of ccxt's as the bot makes it: with its instrumentation and without; the venue answers at once."""

from __future__ import annotations

from inspect import unwrap
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_trading.bench.contenders.base import NotThereError

if TYPE_CHECKING:
    from collections.abc import Callable

_HEADERS = {
    "Content-Type": "application/json;charset=UTF-8",
    "Connection": "keep-alive",
    "Server": "nginx",
    "Date": "Sun, 22 Nov 2026 02:00:00 GMT",
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "0",
    "x-mbx-uuid": "0a1b",
    "x-mbx-used-weight": "30",
    "x-mbx-used-weight-1m": "30",
    "X-Cache": "Miss",
}


class Requests(NamedTuple):
    """What makes a request."""

    instrumented: Callable[[], object]
    plain: Callable[[], object]
    uninstrument: Callable[[], None]


def requests() -> Requests:
    """Instrument ccxt, with an exchange beside it that has ccxt's own methods."""
    try:
        import ccxt
        from ccxt.base.exchange import BaseExchange
    except ImportError as error:
        raise NotThereError("pip install ccxt") from error
    from otel_trading.instrument.ccxt import CcxtInstrumentor

    instrumentor = CcxtInstrumentor()
    ours = not instrumentor.is_instrumented_by_opentelemetry
    if ours:
        instrumentor.instrument()
    own = {name: unwrap(getattr(BaseExchange, name)) for name in ("fetch2", "fetch", "on_rest_response")}
    exchanges = [type("binance", (ccxt.binance,), methods)({"enableRateLimit": False}) for methods in ({}, own)]
    for exchange in exchanges:
        exchange.session = _session()
    measured, untouched = (exchange.public_get_time for exchange in exchanges)
    return Requests(measured, untouched, instrumentor.uninstrument if ours else lambda: None)


def _session() -> Any:  # noqa: ANN401 - as much of one as ccxt uses
    answer = SimpleNamespace(
        status_code=200,
        reason="OK",
        headers=_HEADERS,
        text='{"serverTime":1700000000000}',
        encoding="utf-8",
        raise_for_status=lambda: None,
    )
    return SimpleNamespace(
        headers={},
        cookies=SimpleNamespace(clear=lambda: None),
        request=lambda *_, **__: answer,
        close=lambda: None,
    )
