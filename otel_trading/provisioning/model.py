"""What dashboards consist of, as plain values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from otel_trading.provisioning.units import unit as known_unit

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal[
    "timeseries", "stat", "gauge", "bargauge", "state-timeline", "heatmap", "table", "logs", "traces", "text"
]
Source = Literal["prometheus", "loki", "jaeger"]
Style = Literal["", "limit", "bars", "right"]
Json = dict[str, Any]

WIDTH = 24
"""Columns of a board."""


def slugged(title: str) -> str:
    """A title as a slug.

    >>> slugged("Tick to trade, p99")
    'tick-to-trade-p99'
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


@dataclass(frozen=True, slots=True)
class Query:
    """What a panel asks one data source for.

    Args:
        expr: PromQL or LogQL; of Jaeger nothing.
        legend: what its series are called, as in ``{{trading_venue_name}}``; by default their labels.
        source: who is asked.
        exemplars: whether single measurements are shown with it, each of which opens its trace.
        instant: whether only the newest value counts, as in tables.
        style: ``limit`` draws a dashed line in red, ``bars`` draws bars, ``right`` uses the axis at the right.
        unit: where it differs from the panel's.
        format: ``table`` and ``heatmap`` for what they say, else ``time_series``.
        more: further fields of the query, as Grafana calls them.

    """

    expr: str = ""
    legend: str = ""
    source: Source = "prometheus"
    exemplars: bool = False
    instant: bool = False
    style: Style = ""
    unit: str = ""
    format: Literal["time_series", "table", "heatmap"] = "time_series"
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Threshold:
    """From this value on, this colour."""

    value: float
    colour: str


@dataclass(frozen=True, slots=True)
class Link:
    """Where a panel, or a board, leads to."""

    title: str
    url: str
    new_tab: bool = True


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; made by ``timeseries``, ``stat`` and the other functions of ``provisioning.panels``.

    Its ``slug`` is its name for ever: identifiers, links and edits made in Grafana are kept by it.
    """

    kind: Kind
    title: str
    queries: tuple[Query, ...]
    slug: str
    description: str = ""
    unit: str = ""
    width: int = 8
    height: int = 8
    thresholds: tuple[Threshold, ...] = ()
    base: str = "green"
    links: tuple[Link, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    states: tuple[str, ...] = ()
    overrides: tuple[Mapping[str, Any], ...] = ()
    transformations: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what Grafana would show as nonsense."""
        if not self.slug or self.slug != slugged(self.slug):
            message = f"{self.slug!r} is no slug of panel {self.title!r}; allowed are a-z, 0-9 and single hyphens"
            raise ValueError(message)
        if not 1 <= self.width <= WIDTH:
            message = f"panel {self.slug!r} has a width of {self.width}; allowed are 1 to {WIDTH}"
            raise ValueError(message)
        for name in (self.unit, *(query.unit for query in self.queries)):
            known_unit(name)


@dataclass(frozen=True, slots=True)
class Row:
    """Panels below a heading."""

    title: str
    panels: tuple[Panel, ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Variable:
    """What can be chosen above a board.

    Args:
        name: by which expressions use it: ``$name``.
        label: what it is called.
        kind: ``datasource`` asks for a source of type ``query``, ``query`` for values of Prometheus, ``textbox`` for
            a text.
        query: ``label_values(series, label)``, or the type of a data source.
        several: whether several values may be chosen, and all of them.
        everything: what expressions get when all are chosen.

    """

    name: str
    label: str
    kind: Literal["datasource", "query", "textbox"] = "query"
    query: str = ""
    several: bool = True
    everything: str = ".*"


@dataclass(frozen=True, slots=True)
class Annotation:
    """What is marked on all panels: times at which an expression has values.

    Args:
        name: what it is called, above the board.
        expr: PromQL; series with values above zero are marked as long as they last.
        title: of a mark, as in ``{{job}}``.
        colour: of a mark.
        text: what a mark says further.

    """

    name: str
    expr: str
    title: str
    colour: str
    text: str = ""
