"""A bot with quick trades on venues in this process, its telemetry kept in memory."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

from otel_trading._native import Clock
from otel_trading.demo.bot import BasisBot, Parameters, Settings
from otel_trading.demo.exchange import make_exchange
from otel_trading.demo.report import Report
from otel_trading.demo.tally import Tally
from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from otel_trading.demo.venue import Venues
    from otel_trading.testing import Captured

QUICK = Settings(strategy=Parameters(warm_up=1.0, entry=0.3, floor_bps=0.5, exit=0.0, longest_hold=1.0))


@asynccontextmanager
async def trading(
    venues: Venues, settings: Settings = QUICK, telemetry: Captured | None = None
) -> AsyncIterator[tuple[BasisBot, Tally]]:
    """Let a bot trade while the block runs, and stop it in order; without telemetry to look at, it is captured here."""
    tally, now_ns = Tally(), Clock().now_ns
    with nullcontext(telemetry) if telemetry else capture(real_time=True) as captured:
        bot = BasisBot(Report(captured.handle, now_ns, tally), settings, now_ns=now_ns)
        try:
            await bot.connect(lambda name, on_frame: make_exchange(name, venues.urls[name], on_frame=on_frame))
            await venues.start()
            yield bot, tally
        finally:
            await bot.stop()


async def until(condition: Callable[[], Any], within: float = 20.0) -> None:
    """Wait for a condition."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while not condition():  # noqa: ASYNC110 - the bot does not announce what is waited for
                await asyncio.sleep(0.01)
    assert condition()
