"""What a row of the table is: an operation, how it is measured, its figures by contender, and its goals."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from otel_trading.bench.contenders import CONTENDERS, OURS, Contender, NotThereError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Figures = dict[str, float]
"""By name; the unit ends the name: ``minimum_ns``, ``p99_us``, ``ratio``."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is spent on a row."""

    repeats: int
    cold_samples: int
    hot_ticks: int
    paced_ticks: int
    blocks: int
    thread_ns: int
    series: int
    processes: int
    spans: int
    seconds: float


FULL = Effort(
    repeats=60,
    cold_samples=300,
    hot_ticks=1_000,
    paced_ticks=1_000,
    blocks=8,
    thread_ns=25_000_000,
    series=100_000,
    processes=7,
    spans=5_000,
    seconds=6.0,
)
QUICK = Effort(
    repeats=10,
    cold_samples=50,
    hot_ticks=300,
    paced_ticks=100,
    blocks=2,
    thread_ns=5_000_000,
    series=5_000,
    processes=3,
    spans=1_000,
    seconds=1.5,
)


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound for one of our figures: ``limit``, or ``limit`` times the same figure of the contender ``beside``."""

    figure: str
    limit: float
    at_least: bool = False
    beside: str | None = None

    def judge(self, figures: dict[str, Figures]) -> Verdict | None:
        """Whether it is met; None where there is nothing to judge.

        >>> Goal("minimum_ns", 12).judge({"otel_trading": {"minimum_ns": 7.0}})
        Verdict(figure='minimum_ns', value=7.0, limit=12, at_least=False, met=True)
        >>> Goal("minimum_ns", 12).judge({"otel_trading": {}})
        """
        value = figures.get(OURS, {}).get(self.figure)
        of = 1.0 if self.beside is None else figures.get(self.beside, {}).get(self.figure)
        if value is None or of is None:
            return None
        limit = self.limit if self.beside is None else self.limit * of
        return Verdict(self.figure, value, limit, self.at_least, value >= limit if self.at_least else value <= limit)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and what was reached."""

    figure: str
    value: float
    limit: float
    at_least: bool
    met: bool


@dataclass(slots=True)
class Outcome:
    """The figures of a row by contender; who was left out or failed, and why."""

    figures: dict[str, Figures] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A figure's place in the table; ``digits`` after the point."""

    figure: str
    heading: str
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that share their columns."""

    title: str
    columns: tuple[Column, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of ``rows.ROWS``."""

    name: str
    section: Section
    measure: Callable[[Bench], Outcome]
    goals: tuple[Goal, ...] = ()


class Bench:
    """One run: how much is spent, and the contenders, each made once and when first needed.

    ``collector`` is the program of an OpenTelemetry Collector, where there is one.
    """

    def __init__(self, effort: Effort, endpoint: str, collector: Path | None = None) -> None:
        self.effort = effort
        self.endpoint = endpoint
        self.collector = collector
        self._made: dict[str, Contender | NotThereError] = {}

    def contender(self, name: str) -> Contender:
        """The contender of that name; ``NotThereError`` where it is not installed."""
        if name not in self._made:
            try:
                self._made[name] = CONTENDERS[name](self.endpoint)
            except NotThereError as error:
                self._made[name] = error
        made = self._made[name]
        if isinstance(made, NotThereError):
            raise made
        return made

    def close(self) -> None:
        """End what the contenders started."""
        for made in self._made.values():
            if isinstance(made, Contender):
                made.close()
