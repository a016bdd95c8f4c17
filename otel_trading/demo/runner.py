"""One run of the demo: venues, bot and telemetry, from the first frame to the final numbers."""

from __future__ import annotations

import asyncio
import gzip
import os
import time
from collections import deque
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import ccxt
from opentelemetry.instrumentation.utils import suppress_http_instrumentation

from otel_trading._native import Clock
from otel_trading.demo.bot import BasisBot
from otel_trading.demo.bot.bot import Settings
from otel_trading.demo.bot.strategy import Parameters
from otel_trading.demo.exchange import make_exchange
from otel_trading.demo.report import Report
from otel_trading.demo.running import announced
from otel_trading.demo.summary import summarize
from otel_trading.demo.tally import Tally
from otel_trading.demo.venue import Fault, VenueProcess, VenueProcessError
from otel_trading.lifecycle import Step

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from otel_trading import Status, Telemetry
    from otel_trading.lifecycle import Run as Block

Json = dict[str, Any]

_POLL = 0.25
_DRAIN = 15.0
_STATUS_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Args:
        spot: the spot recording; with neither the market is generated.
        perp: the perpetual's recording.
        speed: the multiple of the market's pace, ``None`` for as fast as it goes.
        seed: of the generated market.
        seconds: when to end; ``None`` for the recording's end or an interrupt.
        faults: each with the seconds after which it is switched on.
        cache: where the run is announced to other processes.

    """

    spot: Path | None = None
    perp: Path | None = None
    speed: float | None = 1.0
    seed: int = 3
    seconds: float | None = None
    faults: Sequence[tuple[Fault, float]] = ()
    cache: Path | None = None

    def strategy(self) -> Parameters:
        """How to trade this market.

        In the recordings the basis moves less than any taker pays: there the bot trades to be seen, not to earn.
        """
        return Parameters() if self.spot is None else Parameters(entry=1.2, floor_bps=1.0)

    def market(self) -> Json:
        """Describe what is played."""
        speed = "max" if self.speed is None else self.speed
        if self.spot is None or self.perp is None:
            return {"source": "generated", "seed": self.seed, "speed": speed}
        return {"source": "recording", "spot": self.spot.name, "perp": self.perp.name, "speed": speed}


class Run:
    """One run, and what can be seen of it while it goes.

    Args:
        plan: what to run.
        telemetry: what ``configure()`` returned; the run shuts it down.

    """

    def __init__(self, plan: Plan, telemetry: Telemetry) -> None:
        self.plan = plan
        self.telemetry = telemetry
        self.status: Status = telemetry.status()
        self.tally = Tally()
        self.venues: VenueProcess | None = None
        self.stats: Json = {}
        self.faults: list[str] = []
        self.length: float | None = None
        now_ns = Clock().now_ns
        self.now_ns = now_ns
        self.bot = BasisBot(
            Report(telemetry, now_ns, self.tally),
            Settings(strategy=plan.strategy()),
            now_ns=now_ns,
            run_id=f"demo-{os.getpid()}",
        )
        self._started = 0.0
        self._seconds = 0.0
        self._stop = asyncio.Event()
        self._venues_are_gone = False
        self._ended = "interrupt"

    @property
    def seconds(self) -> float:
        """How long the market has been playing."""
        return self._seconds or (time.perf_counter() - self._started if self._started else 0.0)

    @property
    def progress(self) -> float | None:
        """The part of the run that is over; ``None`` when it has no end."""
        parts = []
        if self.plan.seconds:
            parts.append(self.seconds / self.plan.seconds)
        if self.length:
            parts.append(float(self.stats.get("position_ns", 0)) / 1e9 / self.length)
        return min(max(parts), 1.0) if parts else None

    @property
    def active_faults(self) -> list[str]:
        """The faults that the venues have now."""
        return [fault for venue in ("spot", "perp") for fault in self.stats.get(venue, {}).get("faults", [])]

    def stop(self) -> None:
        """End the run: the position is closed, and everything is delivered."""
        self._stop.set()

    async def play(self) -> None:
        """Trade until the recording or the time is over, or until somebody stops it."""
        plan = self.plan
        async with AsyncExitStack() as stack:
            venues = VenueProcess(spot=plan.spot, perp=plan.perp, speed=plan.speed, seed=plan.seed)
            self.venues = await stack.enter_async_context(venues)
            if plan.cache is not None:
                stack.enter_context(announced(plan.cache, venues.spot_url))
            bot = self.bot
            ending = self.telemetry.running(
                *(bot.stop_new_orders, Step("close_positions", self._close_positions), bot.disconnect),
                close_positions=True,
                exit="return",  # the summary comes after it, and then the status is 0
                report=False,
                flush=False,
            )
            async with ending as run:
                asked = asyncio.create_task(self._stop_with(run))
                try:
                    await self._connect(venues)
                    self._started = time.perf_counter()
                    await self._until_over(venues)
                except VenueProcessError:
                    self._venues_are_gone = True
                    raise
                finally:
                    asked.cancel()
        self._seconds = self._seconds or self.seconds

    async def _stop_with(self, run: Block) -> None:
        await run.wait_stop()
        self.stop()

    async def _close_positions(self) -> None:
        await (self.bot.give_up() if self._venues_are_gone else self.bot.close_positions())

    async def switch_on(self, fault: Fault | str) -> None:
        """Start a fault."""
        if self.venues is not None:
            with suppress_http_instrumentation():
                await self.venues.switch_on(fault)
            self._note(str(fault))

    def finish(self) -> Json:
        """Deliver what is pending and return the summary."""
        instance = str(self.telemetry.tracer_provider.resource.attributes["service.instance.id"])
        url = self.telemetry.ops.url if self.telemetry.ops else None
        self.telemetry.shutdown()
        self.status = self.telemetry.status()
        return summarize(
            self.tally,
            self.status,
            market=self.plan.market(),
            seconds=self.seconds,
            ended=self._ended,
            faults=self.faults,
            service_instance_id=instance,
            metrics_url=f"{url}/metrics" if url else None,
        )

    async def _connect(self, venues: VenueProcess) -> None:
        try:
            await self.bot.connect(lambda name, on_frame: make_exchange(name, venues.urls[name], on_frame=on_frame))
            with suppress_http_instrumentation():
                await venues.start()
        except (ccxt.NetworkError, aiohttp.ClientError) as error:
            raise _silent(error) from error

    async def _until_over(self, venues: VenueProcess) -> None:
        works = [self._switch_on_later(*each) for each in self.plan.faults]
        works.append(self._look_at_telemetry())
        if self.plan.spot is not None:
            works.append(self._measure(self.plan.spot))
        helpers = [asyncio.create_task(work) for work in works]
        try:
            while not self._stop.is_set():
                await self._look_at(venues)
                if self.plan.seconds is not None and self.seconds >= self.plan.seconds:
                    self._ended = "time"
                    break
                if self.stats["state"] == "finished":
                    await self._drained()
                    self._ended = "end of recording"
                    break
                await self._sleep(_POLL)
        finally:
            self._seconds = self.seconds
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)

    async def _look_at(self, venues: VenueProcess) -> None:
        try:
            with suppress_http_instrumentation():
                self.stats = await venues.stats()
        except aiohttp.ClientError as error:
            raise _silent(error) from error
        for fault in self.active_faults:
            self._note(fault)

    async def _drained(self) -> None:
        """Wait until every frame that a venue put on a socket has come by."""
        sent = {name: sum(self.stats[name]["sent"].values()) for name in self.tally.feeds}
        deadline = time.perf_counter() + _DRAIN
        while any(self.tally.feeds[name].frames.total() < sent[name] for name in sent):
            if self._stop.is_set() or time.perf_counter() > deadline:
                break
            await asyncio.sleep(0.01)

    async def _sleep(self, seconds: float) -> None:
        if self.plan.seconds is not None:
            seconds = min(seconds, max(0.0, self.plan.seconds - self.seconds))
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            pass

    async def _switch_on_later(self, fault: Fault, after: float) -> None:
        await asyncio.sleep(after)
        await self.switch_on(fault)

    async def _look_at_telemetry(self) -> None:
        while True:
            self.status = await asyncio.to_thread(self.telemetry.status)
            await asyncio.sleep(_STATUS_EVERY)

    async def _measure(self, recording: Path) -> None:
        self.length = await asyncio.to_thread(length_of, recording)

    def _note(self, fault: str) -> None:
        if fault not in self.faults:
            self.faults.append(fault)


def _silent(error: Exception) -> VenueProcessError:
    return VenueProcessError(f"the venues do not answer any more: {error}")


def length_of(recording: Path) -> float:
    """The seconds between a recording's first and last line."""
    with gzip.open(recording, "rb") as lines:
        first = next(lines)
        [last] = deque(lines, maxlen=1)
    return (int(last.partition(b" ")[0]) - int(first.partition(b" ")[0])) / 1e9
