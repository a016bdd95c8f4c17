"""Rows on contention: two threads at one instrument, beside one thread alone."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_trading.bench.contenders import NotThereError
from otel_trading.bench.model import Column, Goal, Outcome, Row, Section
from otel_trading.bench.timing import compiled_loop, rounds_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.bench.model import Bench
    from otel_trading.bench.timing import Clock

THREADS = Section(
    "Two threads at one instrument, in nanoseconds a call with its loop",
    (
        Column("one_ns", "one", 1),
        Column("two_ns", "two", 1),
        Column("ratio", "ratio", 2),
    ),
)

_REPEATS = 10


def threads(name: str, statements: dict[str, str], *, goal: float) -> Row:
    """A row of statements that one and two threads run."""
    return Row(name, THREADS, _Threads(statements), (Goal("ratio", goal),))


@dataclass(frozen=True, slots=True)
class _Threads:
    statements: dict[str, str]

    def __call__(self, bench: Bench) -> Outcome:
        outcome = Outcome()
        loops: dict[str, Callable[[int, Clock], int]] = {}
        for who, statement in self.statements.items():
            try:
                loops[who] = compiled_loop(bench.contender(who).call(statement))
            except NotThereError as error:
                outcome.left_out[who] = str(error)
        best: dict[tuple[str, int], float] = {}
        for _ in range(_REPEATS):
            for who, loop in loops.items():
                rounds = rounds_in(bench.effort.thread_ns, loop, time.perf_counter_ns)
                for count in (1, 2):
                    cost = _together(loop, count, rounds) / (count * rounds)
                    best[who, count] = min(cost, best.get((who, count), cost))
        for who in loops:
            one, two = best[who, 1], best[who, 2]
            outcome.figures[who] = {"one_ns": one, "two_ns": two, "ratio": two / one}
        return outcome


def _together(loop: Callable[[int, Clock], int], count: int, rounds: int) -> int:
    """Nanoseconds from the first start to the last end of so many threads that each run the loop."""
    barrier = threading.Barrier(count)
    moments: list[int] = []

    def run() -> None:
        barrier.wait()
        moments.append(time.perf_counter_ns())
        loop(rounds, time.perf_counter_ns)
        moments.append(time.perf_counter_ns())

    workers = [threading.Thread(target=run) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return max(moments) - min(moments)
