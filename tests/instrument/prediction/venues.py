"""Clients of the simulated prediction venues, and what is told of their orders."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from otel_trading.demo.prediction import (
    Delays,
    GeneratedMarkets,
    Kalshi,
    Leg,
    Polymarket,
    make_kalshi,
    make_polymarket,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from otel_trading.testing import Captured

SOON = Delays(0.05, 0.05)
TICKER = "KXFED-26-1"


class Told:
    """The trading events of a test, by name."""

    def __init__(self, captured: Captured) -> None:
        self.captured = captured
        self._seen: list[tuple[str, dict[str, Any]]] = []
        captured.trading.subscribe(self._take)

    def __getitem__(self, name: str) -> list[dict[str, Any]]:
        return [values for event, values in list(self._seen) if event == name]

    def _take(self, event: Any, values: Any, _: int) -> None:
        self._seen.append((event.name.removeprefix("trading."), dict(zip(event.fields, values, strict=False))))


@asynccontextmanager
async def at_kalshi(**options: Any) -> AsyncIterator[tuple[Any, Kalshi, str]]:
    """A client, the venue, an outcome."""
    async with Kalshi(GeneratedMarkets(1).questions(), **options) as venue:
        client = make_kalshi(venue)
        try:
            await client.load_markets()
            yield client, venue, client.outcomes_by_id[TICKER]["outcome"]
        finally:
            await client.close()


@asynccontextmanager
async def at_polymarket(**options: Any) -> AsyncIterator[tuple[Any, Polymarket, str]]:
    """A client, the venue, an outcome."""
    async with Polymarket(GeneratedMarkets(1), **{"settlement": SOON, **options}) as venue:
        client = make_polymarket(venue)
        try:
            await client.load_markets()
            yield client, venue, client.outcomes_by_id[venue.questions[0].tokens[Leg.YES]]["outcome"]
        finally:
            await client.close()


@asynccontextmanager
async def watching(*calls: Callable[[], Any]) -> AsyncIterator[None]:
    """Calls that are made again and again meanwhile."""

    async def keep(call: Callable[[], Any]) -> None:
        while True:
            await call()

    tasks = [asyncio.create_task(keep(call)) for call in calls]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], bool], within: float = 20.0) -> None:
    """Return once it is so.

    Raises:
        TimeoutError: it never was.

    """
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110 - counters and lists have no event
            await asyncio.sleep(0.005)


def best(venue: Any) -> tuple[float, float]:
    """The best bid and ask of the first question's YES."""
    questions = list(venue.questions.values()) if isinstance(venue.questions, dict) else venue.questions
    bid, ask = questions[0].book.best(Leg.YES)
    return float(bid or 0), float(ask or 1)
