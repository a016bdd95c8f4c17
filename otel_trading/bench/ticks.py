"""Rows on a bot's tick: 20 measurements within one millisecond of an asyncio loop.

The contenders take turns in one process, in blocks of ticks, because a machine's clock and load drift more between two
runs than telemetry costs. Hot ticks follow one another and are compared by their fifth percentile, which leaves out
what other processes did; paced ticks come every millisecond with cold caches, while another thread exports 200 series,
and are compared by their median.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from otel_trading.bench.contenders import NONE, OURS, PROMETHEUS, SDK, NotThereError
from otel_trading.bench.model import Column, Figures, Goal, Outcome, Row, Section
from otel_trading.bench.timing import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.bench.model import Bench
    from otel_trading.bench.timing import Call

TICKS = Section(
    "20 measurements in an asyncio tick of 1 ms, in microseconds",
    (
        Column("p50_us", "p50", 1),
        Column("p99_us", "p99", 1),
        Column("p999_us", "p99.9", 1),
        Column("added_us", "added", 2),
        Column("overhead_percent", "% of ms", 2),
        Column("cpu_added_us", "CPU", 1),
    ),
    "added to no telemetry: hot at the fifth percentile, else at the median; CPU: of the whole process, added a tick",
)
SPAN_TICKS = replace(TICKS, title="8 spans in an asyncio tick of 1 ms, in microseconds")
TICK_US = 1_000.0
SERIES = 200

_API = (
    *[f"counter_{number}.add(1, attributes)" for number in range(8)],
    *[f"gauge_{number}.set(2.5, attributes)" for number in range(4)],
    *[f'histogram_{number}.record(2.5, {{"trading.venue.name": "binance"}})' for number in range(4)],
    *[f"started = now(); timer_{number}.record(now() - started, attributes)" for number in range(4)],
)
MEASUREMENTS = {
    NONE: (),
    OURS: (
        *[f"counter_{number}.add(1)" for number in range(8)],
        *[f"gauge_{number}.set(2.5)" for number in range(4)],
        *[f'unbound_{number}.record(2.5, {{"trading.venue.name": "binance"}})' for number in range(4)],
        *[f"with timer_{number}.time(): pass" for number in range(4)],
    ),
    PROMETHEUS: (
        *[f"counter_{number}.inc()" for number in range(8)],
        *[f"gauge_{number}.set(2.5)" for number in range(4)],
        *[f"histogram_{number}.observe(2.5)" for number in range(4)],
        *[f"with timer_{number}.time(): pass" for number in range(4)],
    ),
    SDK: _API,
}
"""What each contender does in a tick; ``unbound`` is the standard API of ours, with attributes at every call."""

_SPANS = """
with tracer.start_as_current_span("tick", attributes=attributes):
    with tracer.start_as_current_span("book"): pass
    with tracer.start_as_current_span("signal"): pass
    with tracer.start_as_current_span("decide") as span:
        span.set_attribute("orders", 1)
        with tracer.start_as_current_span("risk"): pass
        with tracer.start_as_current_span("order"):
            tracer.start_span("encode").end()
            tracer.start_span("sign").end()
""".strip()
SPANS = {NONE: (), OURS: (_SPANS,), SDK: (_SPANS,)}
"""A trace of 8 spans; no telemetry has none."""

_WARM_UP = 5


def tick(name: str, *, paced: bool, goals: tuple[Goal, ...]) -> Row:
    """A row of ticks: one after the other, or every millisecond with cold caches and an exporter."""
    return Row(name, TICKS, _Ticks(paced, MEASUREMENTS), goals)


def span_tick(name: str, *, goals: tuple[Goal, ...]) -> Row:
    """A row of ticks with 8 spans each, every millisecond with cold caches, and encoded by another thread."""
    return Row(name, SPAN_TICKS, _Ticks(paced=True, statements=SPANS), goals)


def figures_of(taken: Mapping[str, Taken], *, paced: bool) -> dict[str, Figures]:
    """The figures of the contenders, and what each adds to no telemetry."""
    compared = 0.5 if paced else 0.05
    figures: dict[str, Figures] = {}
    for who, ticks in taken.items():
        added = quantile(ticks.ns, compared) - quantile(taken[NONE].ns, compared)
        figures[who] = {
            "p50_us": quantile(ticks.ns, 0.5) / 1e3,
            "p99_us": quantile(ticks.ns, 0.99) / 1e3,
            "p999_us": quantile(ticks.ns, 0.999) / 1e3,
            "added_us": added / 1e3,
            "overhead_percent": added / 1e3 / TICK_US * 100,
        }
        if paced:
            cpu = statistics.median(ticks.cpu_us) - statistics.median(taken[NONE].cpu_us)
            figures[who]["cpu_added_us"] = cpu
    return figures


def quantile(values: list[int], of: float) -> float:
    """The value that the share ``of`` of all values does not exceed.

    >>> quantile([30, 10, 20, 40], 0.5)
    20
    """
    ranked = sorted(values)
    return ranked[max(0, -int(-of * len(ranked) // 1) - 1)]


@dataclass(slots=True)
class Taken:
    """Nanoseconds of each tick; microseconds of the process's CPU a tick, by block."""

    ns: list[int] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ticks:
    paced: bool
    statements: Mapping[str, tuple[str, ...]]

    def __call__(self, bench: Bench) -> Outcome:
        outcome = Outcome()
        bodies: dict[str, Callable[[], object]] = {}
        exports: dict[str, Callable[[], object]] = {}
        for who, statements in self.statements.items():
            try:
                contender = bench.contender(who)
                bodies[who] = body(contender.call("\n".join(statements)))
                exports[who] = contender.export_spans if self.statements is SPANS else contender.export
                if self.paced and self.statements is MEASUREMENTS and who != NONE:
                    contender.populate(SERIES)
            except NotThereError as error:
                outcome.left_out[who] = str(error)
        taken = asyncio.run(self._run(bodies, exports, bench))
        outcome.figures = figures_of(taken, paced=self.paced)
        return outcome

    async def _run(
        self, bodies: Mapping[str, Callable[[], object]], exports: Mapping[str, Callable[[], object]], bench: Bench
    ) -> dict[str, Taken]:
        taken = {who: Taken() for who in bodies}
        turns, order = list(bodies), random.Random(3)  # noqa: S311 - no secret: the order of turns
        for _ in range(bench.effort.blocks):
            order.shuffle(turns)
            for who in turns:
                if self.paced:
                    await _paced(bodies[who], exports[who], taken[who], bench.effort.paced_ticks)
                else:
                    await _hot(bodies[who], taken[who], bench.effort.hot_ticks)
        return taken


def body(call: Call) -> Callable[[], object]:
    """A function that does a tick's work and the measurements; their names are its module's, as in a bot."""
    names: dict[str, Any] = {**call.names, "work": work}
    lines = ["work()", *call.statement.splitlines()]
    exec(compile("\n    ".join(["def body():", *lines]), "<tick>", "exec"), names)  # noqa: S102 - of our own rows
    made: Callable[[], object] = names["body"]
    return made


def work() -> float:
    """About 15 microseconds of what a tick computes anyway: a weighted price over a book."""
    levels = [(100.0 + step * 0.01, 1.0 + step % 7) for step in range(75)]
    quantity = sum(size for _, size in levels)
    return sum(price * size for price, size in levels) / quantity


async def _hot(body: Callable[[], object], taken: Taken, ticks: int) -> None:
    clock = time.perf_counter_ns
    for number in range(ticks + _WARM_UP):
        await asyncio.sleep(0)
        started = clock()
        body()
        if number >= _WARM_UP:
            taken.ns.append(clock() - started)


async def _paced(body: Callable[[], object], export: Callable[[], object], taken: Taken, ticks: int) -> None:
    clock, loop = time.perf_counter_ns, asyncio.get_running_loop()
    exporter = threading.Thread(target=export, name="bench-export", daemon=True)
    cpu, due = time.process_time_ns(), loop.time()
    exporter.start()
    for _ in range(ticks):
        due = max(due + TICK_US / 1e6, loop.time())
        await asyncio.sleep(due - loop.time())
        walk()
        started = clock()
        body()
        taken.ns.append(clock() - started)
    await asyncio.to_thread(exporter.join)
    taken.cpu_us.append((time.process_time_ns() - cpu) / 1e3 / ticks)
