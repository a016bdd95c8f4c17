"""ccxt's streams as the conformance suite sees an instrumentation."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import ccxt
from ccxt.async_support.base.exchange import BaseExchange
from ccxt.async_support.base.ws.cache import ArrayCacheBySymbolById
from ccxt.async_support.base.ws.client import Client

from otel_trading.instrument.ccxt import CcxtInstrumentor
from tests.demo.venue.venue_clients import until
from tests.instrument.ccxt_streams.pushing import SYMBOL, Server, exchange_at, measured, soon, total, trade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

_CLIENT = ("handle_message", "resolve", "reject", "future", "open", "create_connection", "on_error", "on_close")


class Case:
    """Frames of a WebSocket on loopback; what fails is a dial."""

    name = "ccxt"
    instrumentor = CcxtInstrumentor
    originals: ClassVar[tuple[tuple[object, str], ...]] = (
        *((Client, name) for name in (*_CLIENT, "close", "send")),
        (BaseExchange, "close"),
        (BaseExchange, "clean_unsubscription"),
        (ArrayCacheBySymbolById, "append"),
    )
    hooks = ()
    error = ccxt.NetworkError
    many = 300
    parallel = True
    installed = True

    def work(self, count: int) -> None:
        """Receive so many trades."""
        asyncio.run(self._receive(count))

    async def _receive(self, count: int) -> None:
        async with Server() as server:
            async with exchange_at(server) as exchange:
                seen: list[Any] = []
                handle = exchange.handle_trade

                def handle_trade(client: Any, frame: Any) -> None:
                    handle(client, frame)
                    seen.append(frame)

                exchange.handle_trade = handle_trade
                task = asyncio.ensure_future(exchange.watch_trades(SYMBOL))
                await until(lambda: bool(server.received))
                for number in range(count):
                    await server.push(trade(number, exchange.milliseconds()))
                await until(lambda: len(seen) == count)
                await soon(task)
            await until(lambda: not server.sockets)

    def fail(self) -> None:
        """Dial where nobody lets us in."""
        asyncio.run(self._refused())

    async def _refused(self) -> None:
        async with Server() as server:
            server.refusing = True
            async with exchange_at(server) as exchange:
                await soon(exchange.watch_trades(SYMBOL))

    def counted(self, telemetry: Captured) -> int:
        """Trades received."""
        return int(total(telemetry, "trading.market_data.messages", trading_market_data_type="trade"))

    def failures(self, telemetry: Captured) -> int:
        """Dials that failed."""
        return measured(telemetry, "trading.venue.connect.duration", error_type="WSServerHandshakeError")


@contextmanager
def case() -> Iterator[Case]:
    """The case; each operation has a server of its own."""
    yield Case()
