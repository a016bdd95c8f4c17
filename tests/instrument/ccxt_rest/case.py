"""ccxt's requests for the conformance suite: half of them synchronous, half not."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import ccxt
import ccxt.async_support
from ccxt.async_support.base.exchange import BaseExchange as AsyncExchange
from ccxt.base.exchange import BaseExchange

from otel_trading.instrument.ccxt import CcxtInstrumentor
from tests.instrument.ccxt_rest.running import Running, async_client, running, sync_client

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

_MEASURED = "fetch2", "fetch", "throttle"


class Case:
    """A spot venue, with clients of both kinds."""

    name = "ccxt"
    instrumentor = CcxtInstrumentor
    originals: tuple[tuple[object, str], ...] = (
        *((owner, method) for owner in (BaseExchange, AsyncExchange) for method in _MEASURED),
        (BaseExchange, "on_rest_response"),
        (BaseExchange, "__init__"),
        (ccxt.binance, "create_order"),
        (ccxt.binance, "createOrder"),
        (ccxt.async_support.binance, "cancel_order"),
        (ccxt.async_support.binance, "cancelOrder"),
    )
    hooks = "request_hook", "response_hook"
    error = ccxt.OrderNotFound
    many = 300
    parallel = True
    installed = True

    def __init__(self, venues: Running) -> None:
        self._url = venues.venues.spot_url
        sync_client(self._url)
        async_client(self._url)

    def work(self, count: int) -> None:
        """Ask for the time."""
        exchange = sync_client(self._url)
        for _ in range(count // 2):
            exchange.fetch_time()

        async def ask() -> None:
            other = async_client(self._url)
            try:
                for _ in range(count - count // 2):
                    await other.fetch_time()
            finally:
                await other.close()

        asyncio.run(ask())

    def fail(self) -> None:
        """Ask for an order that there is not."""
        sync_client(self._url).private_get_order({"symbol": "BTCUSDT", "orderId": 77})

    def counted(self, telemetry: Captured) -> int:
        """All calls."""
        name = "trading.venue.call.duration"
        return telemetry.metrics[name].count if name in telemetry.metrics else 0

    def failures(self, telemetry: Captured) -> int:
        """Those with an error."""
        name = "trading.venue.call.duration"
        points = telemetry.metrics[name].points if name in telemetry.metrics else ()
        return sum(
            point.distribution.count for point in points if point.distribution and "error.type" in point.attributes
        )


@contextmanager
def case() -> Iterator[Case]:
    """Start the venue."""
    with running() as venues:
        yield Case(venues)
