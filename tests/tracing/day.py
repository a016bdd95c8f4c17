"""A day of a bot's spans as fast as they go: ticks, generators left half-way, exceptions and cancelled tasks."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from typing import TYPE_CHECKING, Any

import psutil

import otel_trading as ot
from otel_trading import _native
from otel_trading.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from opentelemetry.trace import Span

DAY = 86_400.0
TICKS = 300
CANCELLED = 15
NEVER_ENDED = ("forgotten", "dropped", "let go")
EACH_TURN = 3 * TICKS + 2 * CANCELLED + 6 + len(NEVER_ENDED)
"""Spans of one turn, see ``Bot.turn``."""

IDS = 4_000_000
"""Ids that are compared at most."""


class Bot:
    """Makes spans, and remembers the ids of some."""

    def __init__(self, tracer: Any, spans: int) -> None:
        self.made = 0
        self.every = max(1, spans // IDS)
        self.ids = array("Q", bytes(8 * (spans // self.every + EACH_TURN)))
        self._tracer = tracer

    def note(self, span: Span) -> None:
        """Count a span that was started."""
        if self.made % self.every == 0:
            self.ids[self.made // self.every] = span.get_span_context().span_id
        self.made += 1

    async def turn(self) -> None:
        """A thousand spans."""
        for number in range(TICKS):
            with self._tracer.start_as_current_span("tick", attributes={"number": number}) as tick:
                self.note(tick)
                with self._tracer.start_as_current_span("decide") as decide:
                    self.note(decide)
                order = self._tracer.start_span("order", attributes={"venue": "kalshi"})
                self.note(order)
                order.end()
        tasks = [asyncio.create_task(self._hang()) for _ in range(CANCELLED)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in self._steps():
            break
        steps = self._asteps()
        await anext(steps)
        await steps.aclose()
        self._fail()

    async def _hang(self) -> None:
        with self._tracer.start_as_current_span("watch") as outer:
            self.note(outer)
            with self._tracer.start_as_current_span("wait") as inner:
                self.note(inner)
                await asyncio.Event().wait()

    def _steps(self) -> Generator[None]:
        with self._tracer.start_as_current_span("steps") as span:
            self.note(span)
            for _ in range(3):
                step = self._tracer.start_span("step")
                self.note(step)
                step.end()
                yield

    async def _asteps(self) -> AsyncGenerator[None]:
        with self._tracer.start_as_current_span("async steps") as span:
            self.note(span)
            for _ in range(3):
                step = self._tracer.start_span("step")
                self.note(step)
                step.end()
                yield

    def _fail(self) -> None:
        try:
            with (
                self._tracer.start_as_current_span("outer") as outer,
                self._tracer.start_as_current_span("inner") as inner,
            ):
                self.note(outer)
                self.note(inner)
                self._raise()
        except ValueError:
            pass
        for name in NEVER_ENDED:
            self.note(self._tracer.start_span(name))

    @staticmethod
    def _raise() -> None:
        raise ValueError("no funds")


async def live(bot: Bot, spans: int, clock: FakeClock) -> list[int]:
    """Make so many spans in a day of the clock; the resident memory now and then, bytes."""
    turns = spans // EACH_TURN
    memory, process = [], psutil.Process()
    for turn in range(turns):
        await bot.turn()
        clock.advance(DAY / turns)
        if turn % (turns // 20) == 0:
            memory.append(process.memory_info().rss)
        if turn % 100 == 0:
            await asyncio.sleep(0.001)
    return memory


def main(endpoint: str, spans: str) -> None:
    """Live for a day, and say what became of it."""
    telemetry = ot.configure(
        service_name="day", endpoint=endpoint, traces_budget=1_000, flight_size=1 << 25, logs_exporter="none",
        metrics_exporter="none", banner=False, ops_enabled=False, runtime_enabled=False,
    )  # fmt: skip
    bot, clock = Bot(telemetry.tracer, int(spans)), FakeClock()
    began = time.perf_counter()
    with clock.stamping():
        session: Any = telemetry.tracer.start_span("session")
        session.keep()
        memory = asyncio.run(live(bot, int(spans), clock))
        recording = telemetry.flight_snapshot()
        assert recording is not None
        still_open = [span["name"] for span in _native.Recording(recording).spans() if span["open"]]
        session.end()
    took = time.perf_counter() - began
    telemetry.shutdown(30)
    ids = bot.ids[: -(-bot.made // bot.every)]
    account = telemetry.status().signals["traces"]
    provider: Any = telemetry.tracer_provider
    told = {
        "made": bot.made + 1,
        "turns": int(spans) // EACH_TURN,
        "ids": len(ids),
        "different_ids": len(set(ids)),
        "memory": memory,
        "took": took,
        "open": still_open,
        "counts": provider._real.core.counts(),
        "sent": account.sent,
        "lost": dict(account.dropped),
    }
    print(json.dumps(told))  # noqa: T201 - read by the test


if __name__ == "__main__":
    main(*sys.argv[1:])
