"""A frame of ccxt.pro as the bot gets it: with its instrumentation and without."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_trading.bench.contenders.base import NotThereError

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = "ticker:BTC/USDT"


class Frames(NamedTuple):
    """What takes a frame in, and one."""

    instrumented: Callable[[object], None]
    plain: Callable[[object], None]
    message: object
    uninstrument: Callable[[], None]


class _Exchange:
    """Does nothing with a frame but to hand it out: what ccxt's venues do beyond that costs both the same."""

    id = "binance"

    def handle_message(self, client: Any, message: Any) -> None:  # noqa: ANN401 - ccxt carries no types
        client.resolve(message, _NAME)


def frames() -> Frames:
    """Instrument ccxt, with a client of before that stays as it was."""
    try:
        from aiohttp import WSMessage, WSMsgType
        from ccxt.async_support.base.ws.client import Client
    except ImportError as error:
        raise NotThereError("pip install ccxt") from error
    from otel_trading.instrument.ccxt import CcxtInstrumentor

    plain: Any = type(
        "Plain", (), {name: value for name, value in vars(Client).items() if name not in {"__dict__", "__weakref__"}}
    )
    instrumentor = CcxtInstrumentor()
    instrumentor.instrument()
    exchanges = _Exchange(), _Exchange()

    async def make() -> tuple[Any, Any]:
        clients = [
            kind("wss://venue.example/ws", exchange.handle_message, None, None, None, {})
            for kind, exchange in zip((Client, plain), exchanges, strict=True)
        ]
        for client in clients:
            client.future(_NAME)
            client.futures.clear()
        return clients[0], clients[1]

    measured, untouched = asyncio.run(make())
    text = (
        f'{{"symbol":"BTC/USDT","bid":27000.5,"ask":27000.6,"last":27000.5,"timestamp":{time.time_ns() // 1_000_000}}}'
    )
    message = WSMessage(WSMsgType.TEXT, text, None)
    return Frames(measured.handle_message, untouched.handle_message, message, instrumentor.uninstrument)
