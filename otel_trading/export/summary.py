"""The summary report: what was measured so far, as a table for people.

``read`` turns collected metrics into plain rows, ``text`` and ``show`` print them; each also takes rows that come
from elsewhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TextIO

from otel_trading.export import readable
from otel_trading.export.distribution import Distribution

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import MetricsData

Attributes = tuple[tuple[str, Any], ...]

_DROPPED = "trading.telemetry.dropped"
_OWN = ("trading.telemetry.", "trading.runtime.", "system.", "process.", "container.", "cpython.")
"""What is about telemetry, the interpreter and the machine: dashboards have it, a report on the bot does not."""
_VIOLATIONS = "trading.stage.budget.violations"
_STAGE = "trading.stage.name"
_MANY = 40
_DISPENSABLE = ("rate/s", "p99.9", "budget", "p50")
_NAME_WIDTH = 32


@dataclass(frozen=True, slots=True)
class Timing:
    """One series of a timer or histogram; ``rate`` per second, ``budget`` in the unit of the values."""

    name: str
    unit: str
    count: int
    rate: float | None
    p50: float
    p95: float
    p99: float
    p999: float
    max: float
    budget: float | None = None
    violations: int | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """One series of a counter; ``rate`` per second."""

    name: str
    unit: str
    value: float
    rate: float | None


@dataclass(frozen=True, slots=True)
class Level:
    """One series of a gauge or up-down counter."""

    name: str
    unit: str
    value: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything a report shows; ``seconds`` is the time it covers, ``drops`` what was lost by signal and reason."""

    seconds: float
    timings: tuple[Timing, ...] = ()
    totals: tuple[Total, ...] = ()
    levels: tuple[Level, ...] = ()
    drops: tuple[tuple[str, float], ...] = ()


def read(metrics_data: MetricsData | None, budgets: Mapping[str, float] | None = None) -> Summary:
    """The rows of what was collected, busiest first.

    ``budgets`` are by instrument or stage, in the unit of the instrument. Violations are those that
    ``trading.stage.budget.violations`` tells of the stage, or of the timer of the instrument's name.
    """
    found = list(_points(metrics_data))
    violations = {_key(point): point.value for name, _, _, point in found if name == _VIOLATIONS}
    timings, totals, levels, drops = [], [], [], []
    for name, unit, data, point in found:
        if name.startswith(_OWN) and name != _DROPPED:
            continue
        if hasattr(point, "count"):
            if point.count:
                over = violations.get(_key(point), violations.get(_key(point, {_STAGE: name})))
                timings.append(_timing(name, unit, point, _budget(name, point, budgets or {}), over))
        elif name == _DROPPED:
            drops += [(_label("", point), point.value)] if point.value else []
        elif name == _VIOLATIONS:
            continue
        elif getattr(data, "is_monotonic", False):
            totals.append(Total(_label(name, point), unit, point.value, _rate(point.value, point)))
        else:
            levels.append(Level(_label(name, point), unit, point.value))
    return Summary(
        max((_seconds(point) for _, _, _, point in found), default=0.0),
        tuple(sorted(timings, key=lambda row: (-row.count, row.name))),
        tuple(sorted(totals, key=lambda row: (-row.value, row.name))),
        tuple(sorted(levels, key=lambda row: row.name)),
        tuple(sorted(drops)),
    )


def text(summary: Summary, *, most: int = _MANY) -> str:
    """The report as plain text, at most so many rows a table.

    >>> print(text(Summary(60.0, totals=(Total("bot.frames", "", 1_200, 20.0),))))
    SUMMARY of 1 min 00 s
    <BLANKLINE>
    Counters    total  rate/s
    bot.frames  1,200    20.0
    <BLANKLINE>
    Nothing was dropped.
    """
    parts = [f"SUMMARY of {readable.duration(summary.seconds)}"]
    for header, rows in _tables(summary, most):
        lines = [header, *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
        parts.append("\n".join(_aligned(line, widths) for line in lines))
    parts.append(_lost(summary))
    return "\n\n".join(parts)


def show(summary: Summary, stream: TextIO, *, most: int = _MANY) -> None:
    """Print the report: with colours on a terminal that has ``rich``, else as plain text."""
    if stream.isatty() and find_spec("rich") is not None:
        _show_rich(summary, stream, most)
    else:
        stream.write(text(summary, most=most) + "\n")


def _points(metrics_data: MetricsData | None) -> Iterator[tuple[str, str, Any, Any]]:
    for resource in metrics_data.resource_metrics if metrics_data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    yield metric.name, metric.unit or "", metric.data, point


def _timing(name: str, unit: str, point: Any, budget: float | None, over: float | None) -> Timing:  # noqa: ANN401 - any point
    measured = Distribution.of_point(point)
    return Timing(
        _label(name, point),
        unit,
        measured.count,
        _rate(measured.count, point),
        p50=measured.quantile(0.5),
        p95=measured.quantile(0.95),
        p99=measured.quantile(0.99),
        p999=measured.quantile(0.999),
        max=measured.high if measured.high is not None else math.nan,
        budget=budget,
        violations=None if over is None else int(over),
    )


def _budget(name: str, point: Any, budgets: Mapping[str, float]) -> float | None:  # noqa: ANN401 - any point
    stage = (point.attributes or {}).get(_STAGE)
    return budgets.get(stage, budgets.get(name)) if isinstance(stage, str) else budgets.get(name)


def _key(point: Any, others: Mapping[str, str] | None = None) -> Attributes:  # noqa: ANN401 - any point
    return tuple(sorted({**(point.attributes or {}), **(others or {})}.items()))


def _label(name: str, point: Any) -> str:  # noqa: ANN401 - any point
    """Name and attributes, without what all attributes have in common."""
    labels = [f"{key.removeprefix('trading.').removesuffix('.name')}={value}" for key, value in _key(point)]
    return f"{name}{{{', '.join(labels)}}}" if name and labels else name or " ".join(labels)


def _seconds(point: Any) -> float:  # noqa: ANN401 - any point
    start: int = point.start_time_unix_nano or 0
    return (point.time_unix_nano - start) / 1e9 if start else 0.0


def _rate(value: float, point: Any) -> float | None:  # noqa: ANN401 - any point
    seconds = _seconds(point)
    return value / seconds if seconds > 0 else None


def _tables(summary: Summary, most: int) -> Iterator[tuple[list[str], list[list[str]]]]:
    """Header and rows of each table that has rows."""
    if summary.timings:
        header = ["Timings", "count", "rate/s", "p50", "p95", "p99", "p99.9", "max"]
        budgets = any(row.budget is not None or row.violations is not None for row in summary.timings)
        header += ["budget", "over budget"] if budgets else []
        yield header, _cut([_timing_cells(row, budgets=budgets) for row in summary.timings], most)
    if summary.totals:
        rows = [[row.name, readable.value(row.value, row.unit), readable.number(row.rate)] for row in summary.totals]
        yield ["Counters", "total", "rate/s"], _cut(rows, most)
    if summary.levels:
        yield (
            ["Gauges", "value"],
            _cut([[row.name, readable.value(row.value, row.unit)] for row in summary.levels], most),
        )


def _timing_cells(row: Timing, *, budgets: bool) -> list[str]:
    values = (row.p50, row.p95, row.p99, row.p999, row.max)
    cells = [
        row.name,
        f"{row.count:,}",
        readable.number(row.rate),
        *(readable.value(value, row.unit) for value in values),
    ]
    if budgets:
        cells += [readable.NOTHING if row.budget is None else readable.value(row.budget, row.unit), _over(row)]
    return cells


def _over(row: Timing) -> str:
    if row.violations is None:
        return readable.NOTHING
    return f"{row.violations:,} ({row.violations / row.count:.2%})" if row.violations else "0"


def _cut(rows: list[list[str]], most: int) -> list[list[str]]:
    if len(rows) <= most:
        return rows
    return [*rows[:most], [f"… and {len(rows) - most} more", *[""] * (len(rows[0]) - 1)]]


def _lost(summary: Summary) -> str:
    if not summary.drops:
        return "Nothing was dropped."
    return "Dropped: " + "; ".join(f"{value:,} of {reason}" for reason, value in summary.drops)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]).rstrip()


def _show_rich(summary: Summary, stream: TextIO, most: int) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, highlight=False)
    console.print(f"[bold]Summary[/] of {readable.duration(summary.seconds)}")
    for whole, whole_rows in _tables(summary, most):
        header, rows = _narrowed(whole, whole_rows, console.width)
        table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
        for place, title in enumerate(header):
            table.add_column(title, justify="right" if place else "left", no_wrap=place > 0, overflow="fold")
        for row in rows:
            table.add_row(*_coloured(header, row, Text))
        console.print(table)
    console.print(Text(_lost(summary), "red" if summary.drops else "green"))


def _narrowed(header: list[str], rows: list[list[str]], width: int) -> tuple[list[str], list[list[str]]]:
    """The columns that fit, the dispensable ones left out first."""
    kept = list(range(len(header)))
    for title in _DISPENSABLE:
        needed = sum(max(len(line[column]) for line in [header, *rows]) + 3 for column in kept[1:])
        if needed + _NAME_WIDTH > width and title in header:
            kept.remove(header.index(title))
    return [header[column] for column in kept], [[row[column] for column in kept] for row in rows]


def _coloured(header: Sequence[str], row: Sequence[str], style: Any) -> Iterable[Any]:  # noqa: ANN401 - rich's Text
    """The cells of a row: labels dimmed, violations red."""
    for title, cell in zip(header, row, strict=True):
        if title == "over budget":
            yield style(cell, "dim" if cell == readable.NOTHING else "green" if cell == "0" else "bold red")
        elif title == header[0]:
            name, _, labels = cell.partition("{")
            yield style.assemble((name, "cyan"), " ", (labels.removesuffix("}"), "dim"))
        else:
            yield style(cell)
