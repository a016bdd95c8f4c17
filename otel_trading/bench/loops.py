"""Rows on an asyncio process with an exporter at work: spans that arrive, and lag of the loop.

Each contender has a process of its own, and they take turns.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING, Any

from otel_trading.bench import fresh
from otel_trading.bench.contenders import NONE, OURS, SDK, NotThereError
from otel_trading.bench.model import Column, Figures, Goal, Outcome, Row, Section
from otel_trading.bench.sink import collector
from otel_trading.bench.ticks import quantile
from otel_trading.bench.wholes import WHOLES, Whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.bench.model import Bench

DELIVERY = Section(
    "50,000 spans a second from one asyncio process to a receiver, all kept",
    (
        Column("per_s", "spans/s"),
        Column("lost", "lost"),
        Column("lost_percent", "lost %", 2),
        Column("cpu_percent", "CPU %"),
        Column("real_collector", "Collector"),
    ),
    "lost: ended and not confirmed by the receiver; CPU: of the process, in percent of a core; Collector: 1 where the"
    " receiver is the stack's, 0 where it answers and throws away",
)
LAG = Section(
    "Lag of an asyncio loop with 500 spans, 100 log records and 2,000 metric calls a second, in microseconds",
    (
        Column("p50_us", "p50"),
        Column("p99_us", "p99"),
        Column("p999_us", "p99.9"),
        Column("cpu_percent", "CPU %", 1),
    ),
    "how much later than asked for a sleep of 1 ms ends; CPU: of the process, in percent of a core",
)

SPANS_PER_S = 50_000
_CHILD = "import sys; from otel_trading.bench.loops import child; child(*sys.argv[1:])"
_STEP_S = 0.001
_LIMIT_S = 60.0
_WARM_UP_S = 1.0
"""Threads are started and modules imported meanwhile."""
_ROOMY = {"span_queue_size": 200_000, "span_batch_size": 4_096}
"""For a bot that is known to make so many spans."""


def delivery(name: str, *, goals: tuple[Goal, ...]) -> Row:
    """A row of ``Effort.seconds`` seconds of spans."""
    return Row(name, DELIVERY, _delivered, goals)


def lag(name: str, *, goals: tuple[Goal, ...]) -> Row:
    """A row of ``Effort.seconds`` seconds of a loop for each contender, in turns."""
    return Row(name, LAG, _lagged, goals)


def child(what: str, who: str, endpoint: str, seconds: str, options: str) -> None:
    """Measure one contender in this process, and print what was found."""
    whole = WHOLES[who](endpoint, json.loads(options))
    run = {"delivery": _deliver, "lag": _lag}[what]
    sys.stdout.write(json.dumps(run(whole, float(seconds))) + "\n")
    sys.stdout.flush()
    whole.close()


@dataclass(slots=True)
class Schedule:
    """How often something is due that comes so many times a second.

    >>> schedule = Schedule(500)
    >>> [schedule.due(0.001), schedule.due(0.004), schedule.due(0.004)]
    [0, 2, 0]
    """

    per_second: int
    done: int = 0

    def due(self, elapsed: float) -> int:
        """What has come due since the last time, after so many seconds."""
        before, self.done = self.done, int(elapsed * self.per_second)
        return self.done - before


def _deliver(whole: Whole, seconds: float) -> Figures:
    schedule = Schedule(SPANS_PER_S)

    async def bot() -> float:
        started = time.perf_counter()
        while (elapsed := time.perf_counter() - started) < seconds:
            for _ in range(schedule.due(elapsed)):
                whole.span()
            await asyncio.sleep(_STEP_S)
        return time.perf_counter() - started

    cpu = time.process_time()
    took = asyncio.run(bot())
    cpu = time.process_time() - cpu
    lost = schedule.done - whole.confirmed()
    return {
        "per_s": schedule.done / took,
        "lost": lost,
        "lost_percent": lost / schedule.done * 100,
        "cpu_percent": cpu / took * 100,
    }


def _lag(whole: Whole, seconds: float) -> dict[str, object]:
    work: list[tuple[Schedule, Callable[[], object]]] = [
        (Schedule(500), whole.span),
        (Schedule(100), whole.log),
        (Schedule(2_000), whole.measure),
    ]
    lags: list[int] = []

    async def bot() -> float:
        loop = asyncio.get_running_loop()
        started, cpu = loop.time(), 0.0
        while (elapsed := loop.time() - started) < _WARM_UP_S + seconds:
            for schedule, call in work:
                for _ in range(schedule.due(elapsed)):
                    call()
            due = loop.time() + _STEP_S
            await asyncio.sleep(_STEP_S)
            if elapsed >= _WARM_UP_S:
                cpu = cpu or time.process_time()
                lags.append(int((loop.time() - due) * 1e9))
        return time.process_time() - cpu

    return {"lags": lags, "cpu_percent": asyncio.run(bot()) / seconds * 100}


def _delivered(bench: Bench) -> Outcome:
    outcome = Outcome()
    with ExitStack() as stack:
        real = stack.enter_context(collector(bench.collector)) if bench.collector else None
        for shown, who, options in ((OURS, OURS, {}), (f"{OURS}, queue 200,000", OURS, _ROOMY), (SDK, SDK, {})):
            arguments = (real or bench.endpoint, str(bench.effort.seconds), json.dumps(options))
            found = _run(bench, outcome, shown, "delivery", who, *arguments)
            if found is not None:
                outcome.figures[shown] = {**found, "real_collector": float(real is not None)}
    return outcome


def _lagged(bench: Bench) -> Outcome:
    outcome = Outcome()
    lags: dict[str, list[int]] = {}
    cpu: dict[str, list[float]] = {}
    seconds = str(bench.effort.seconds / bench.effort.processes)
    for _ in range(bench.effort.processes):
        for who in (NONE, OURS, SDK):
            found = _run(bench, outcome, who, "lag", who, bench.endpoint, seconds, "{}")
            if found is not None:
                lags.setdefault(who, []).extend(found["lags"])
                cpu.setdefault(who, []).append(found["cpu_percent"])
    for who, taken in lags.items():
        outcome.figures[who] = {
            "p50_us": quantile(taken, 0.5) / 1e3,
            "p99_us": quantile(taken, 0.99) / 1e3,
            "p999_us": quantile(taken, 0.999) / 1e3,
            "cpu_percent": min(cpu[who]),
        }
    return outcome


def _run(bench: Bench, outcome: Outcome, shown: str, what: str, who: str, *arguments: str) -> Any:  # noqa: ANN401 - JSON
    if shown in outcome.failed:
        return None
    try:
        bench.contender(who)
        return fresh.run(_CHILD, what, who, *arguments, limit=_LIMIT_S)
    except NotThereError as error:
        outcome.left_out[shown] = str(error)
    except TimeoutExpired:
        outcome.failed[shown] = f"not done after {_LIMIT_S:.0f} s"
    except RuntimeError as error:
        outcome.failed[shown] = str(error)
    return None
