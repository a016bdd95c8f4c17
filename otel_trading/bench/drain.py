"""Rows on the reader of events: how many it takes in a second."""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING

from otel_trading.bench.contenders import OURS, NotThereError
from otel_trading.bench.model import Column, Goal, Outcome, Row, Section
from otel_trading.bench.timing import MOST_ROUNDS, compiled_loop

if TYPE_CHECKING:
    from otel_trading.bench.model import Bench

EVENTS = Section(
    "Events taken from a full ring and understood",
    (
        Column("median_ns", "median", 2),
        Column("million_per_s", "million/s", 1),
    ),
    "nanoseconds an event, in one thread, without the GIL",
)


def drain(name: str, *, goal: float) -> Row:
    """A row on emptying the ring; the goal is in million events a second."""
    return Row(name, EVENTS, _drained, (Goal("million_per_s", goal, at_least=True),))


def _drained(bench: Bench) -> Outcome:
    try:
        contender = bench.contender(OURS)
        fill = compiled_loop(contender.call("observe(event, 2.5)"))
        empty = compiled_loop(contender.call("events.tick()"))
    except NotThereError as error:
        return Outcome(left_out={OURS: str(error)})
    taken = []
    for _ in range(bench.effort.repeats):
        contender.before()
        fill(MOST_ROUNDS, time.perf_counter_ns)
        taken.append(empty(1, time.perf_counter_ns) / MOST_ROUNDS)
    # not the minimum: ten times a second the pump has emptied the ring already
    median = statistics.median(taken)
    return Outcome({OURS: {"median_ns": median, "million_per_s": 1e3 / median}})
