"""Clients of the simulated venues, and where the recordings are."""

from __future__ import annotations

import asyncio
import copy
import os
from collections import Counter
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict

import pytest

from otel_trading.demo.exchange import make_exchange

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from types import TracebackType

SPOT_FILE = "binance-spot-btcusdt_20240808.gz"
PERP_FILE = "binance-usdm-btcusdt_20240808.gz"
SYMBOLS = {"spot": "BTC/USDT", "perp": "BTC/USDT:USDT"}


class Recordings(TypedDict):
    """The paths of both recordings."""

    spot: Path
    perp: Path


def recordings() -> Recordings:
    """Return both recordings' paths, or skip the test that asks."""
    folder = Path(os.environ.get("OTEL_TRADING_DATA", Path(__file__).parents[3].parent / "shared" / "data"))
    files = Recordings(spot=folder / SPOT_FILE, perp=folder / PERP_FILE)
    for file in (files["spot"], files["perp"]):
        if not file.is_file():
            pytest.skip(f"{file.name} is not in {folder}; OTEL_TRADING_DATA names the folder of the recordings")
    return files


class Watcher:
    """A ccxt.pro client that watches, counts every frame and remembers what its watch calls gave and raised."""

    def __init__(self, venue: Literal["spot", "perp"], url: str) -> None:
        self.symbol = SYMBOLS[venue]
        self.frames: Counter[str] = Counter()
        self.seen: dict[str, list[Any]] = {}
        self.errors: list[Exception] = []
        self.client = make_exchange(venue, url, on_frame=lambda stream, _: self.frames.update((stream,)))
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        await self.client.load_markets()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.client.close()

    def watch_market(self) -> None:
        """Watch quotes, trades and the book."""
        self.watch("quotes", lambda: self.client.watch_bids_asks([self.symbol]))
        self.watch("trades", lambda: self.client.watch_trades(self.symbol))
        self.watch("book", lambda: self.client.watch_order_book(self.symbol))

    def watch_account(self) -> None:
        """Watch orders and balances."""
        self.watch("orders", lambda: self.client.watch_orders(self.symbol))
        self.watch("balance", self.client.watch_balance)

    def watch(self, name: str, call: Callable[[], Awaitable[Any]]) -> None:
        """Keep calling a watch method, through errors."""
        self.seen[name] = []

        async def keep() -> None:
            while True:
                try:
                    result = await call()
                except Exception as error:
                    self.errors.append(error)
                    await asyncio.sleep(0.02)
                else:
                    self.seen[name].append(copy.deepcopy(result) if name == "orders" else result)

        self._tasks.append(asyncio.create_task(keep()))

    def best(self, side: Literal["bids", "asks"]) -> float:
        """Return the best price of the client's own book."""
        price: float = self.client.orderbooks[self.symbol][side][0][0]
        return price


@asynccontextmanager
async def watching(venues: Any) -> AsyncIterator[tuple[Watcher, Watcher]]:
    """Watch both venues' markets and start them."""
    async with Watcher("spot", venues.spot_url) as spot, Watcher("perp", venues.perp_url) as perp:
        spot.watch_market()
        perp.watch_market()
        await venues.start()
        yield spot, perp


async def until(condition: Callable[[], bool], within: float = 10.0) -> None:
    """Wait for a condition."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while not condition():  # noqa: ASYNC110 - clients do not announce what is waited for
                await asyncio.sleep(0.01)
    assert condition()


async def settled(value: Callable[[], int], for_seconds: float = 0.5) -> int:
    """A value, once it has stayed the same for so long."""
    before, seen = -1, value()
    while seen != before:
        await asyncio.sleep(for_seconds)
        before, seen = seen, value()
    return seen
