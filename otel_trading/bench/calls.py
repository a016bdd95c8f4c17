"""Rows on what one call costs."""

from __future__ import annotations

import operator
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_trading.bench.contenders import NONE, OURS, PROMETHEUS, SDK, NotThereError
from otel_trading.bench.model import Column, Figures, Goal, Outcome, Row, Section
from otel_trading.bench.timing import Call, Cost, compiled_loop, measure

if TYPE_CHECKING:
    from otel_trading.bench.model import Bench

CALLS = Section(
    "What a call costs, in nanoseconds",
    (
        Column("minimum_ns", "minimum", 1),
        Column("median_ns", "median", 1),
        Column("cold_ns", "cold"),
        Column("times_cheaper", "SDK/this", 1),
        Column("empty_calls", "x empty", 1),
    ),
    "minimum and median: warm, net of the empty loop; cold: after 1 MB of other memory was read, median net of the"
    " clock; x empty: in native calls that do nothing, of which the goals take one for 5 ns",
)

_EMPTY = "an empty native call"
_EMPTY_NS = 5.0


def call(
    name: str,
    *,
    ours: str | None = None,
    prometheus: str | None = None,
    sdk: str | None = None,
    none: str | None = None,
    others: dict[str, str] | None = None,
    base: str | None = None,
    per: int = 1,
    cold: bool = True,
    goal: float | None = None,
    cold_goal: float | None = None,
    cheaper_goal: float | None = None,
) -> Row:
    """A row of statements whose names are attributes of the contenders.

    ``others`` are further contenders' statements, ``base`` is one whose cost is taken off, ``per`` the number of things
    a statement does. ``goal`` is in nanoseconds where an empty native call takes 5; in empty calls it holds on slower
    and faster machines, too. ``cheaper_goal`` is how many times as much opentelemetry-sdk has to take at least.
    """
    statements = {OURS: ours, PROMETHEUS: prometheus, SDK: sdk, NONE: none, **(others or {})}
    goals = {"minimum_ns": goal, "empty_calls": goal and goal / _EMPTY_NS, "cold_ns": cold_goal}
    return Row(
        name,
        CALLS,
        _Calls({who: statement for who, statement in statements.items() if statement}, base, per, cold),
        (
            *(Goal(figure, limit) for figure, limit in goals.items() if limit is not None),
            *([Goal("times_cheaper", cheaper_goal, at_least=True)] if cheaper_goal else []),
        ),
    )


def _base(who: str) -> str:
    return f"the base of {who}"


@dataclass(frozen=True, slots=True)
class _Calls:
    statements: dict[str, str]
    base: str | None
    per: int
    cold: bool

    def __call__(self, bench: Bench) -> Outcome:
        outcome = Outcome()
        calls = {_EMPTY: Call("empty(True)", {"empty": operator.truth})}
        for who, statement in self.statements.items():
            try:
                contender = bench.contender(who)
                found = contender.call(statement)
                compiled_loop(found)(1, time.perf_counter_ns)
                calls[who] = found
                if self.base:
                    calls[_base(who)] = contender.call(self.base)
            except NotThereError as error:
                outcome.left_out[who] = str(error)
            except Exception as error:  # one contender's defect is its own
                outcome.failed[who] = f"{type(error).__name__}: {error}"
        costs = measure(calls, bench.effort.repeats, bench.effort.cold_samples if self.cold else 0)
        for who in (who for who in self.statements if who in costs):
            beyond = costs[who].beyond(costs[_base(who)]) if self.base else costs[who]
            outcome.figures[who] = self._figures(beyond, costs[_EMPTY])
        sdk = outcome.figures.get(SDK)
        for figures in outcome.figures.values():
            if sdk is None:
                break
            figures["times_cheaper"] = sdk["minimum_ns"] / max(figures["minimum_ns"], 0.1)
        return outcome

    def _figures(self, cost: Cost, empty: Cost) -> Figures:
        figures = {"minimum_ns": cost.minimum / self.per, "median_ns": cost.median / self.per}
        if cost.cold is not None:
            figures["cold_ns"] = cost.cold / self.per
        figures["empty_calls"] = figures["minimum_ns"] / max(empty.minimum, 0.1)
        return figures
