"""The panels that boards are made of.

All take a title and queries; an expression alone is a query. What they have in common is in ``Panel``.

>>> edge = timeseries("Edge", "histogram_quantile(0.5, sum(rate(bot_edge_bps[$__rate_interval])))", unit="bp")
>>> edge.slug, edge.kind, edge.unit
('edge', 'timeseries', 'bp')
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from otel_trading.provisioning.colours import STATES
from otel_trading.provisioning.model import Link, Panel, Query, Threshold, slugged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_trading.provisioning.model import Kind


class Common(TypedDict, total=False):
    """What every panel may be told.

    ``thresholds`` colour values from theirs on, on top of ``base``; ``defaults``, ``custom`` and ``options`` are
    fields of the panel as Grafana calls them, for what is not said otherwise.
    """

    slug: str
    description: str
    unit: str
    width: int
    height: int
    thresholds: Sequence[Threshold]
    base: str
    links: Sequence[Link]
    defaults: Mapping[str, Any]
    custom: Mapping[str, Any]
    options: Mapping[str, Any]
    overrides: Sequence[Mapping[str, Any]]
    transformations: Sequence[Mapping[str, Any]]


def timeseries(title: str, *queries: Query | str, stacked: bool = False, **common: Unpack[Common]) -> Panel:
    """Lines over time; thresholds are drawn as lines.

    Args:
        title: of the panel.
        queries: what to draw.
        stacked: whether series lie on top of each other.
        common: see ``Common``.

    """
    custom: dict[str, Any] = {
        "drawStyle": "line",
        "lineWidth": 1,
        "showPoints": "auto",
        "pointSize": 4,
        "spanNulls": 60_000,
        "fillOpacity": 30 if stacked else 8,
    }
    if stacked:
        custom["stacking"] = {"group": "A", "mode": "normal"}
    if common.get("thresholds"):
        custom["thresholdsStyle"] = {"mode": "dashed"}
    legend = {"showLegend": True, "displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}
    options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    return _panel("timeseries", title, queries, common, width=8, height=8, custom=custom, options=options)


def stat(title: str, *queries: Query | str, of: str = "lastNotNull", **common: Unpack[Common]) -> Panel:
    """One number, with its course behind it.

    Args:
        title: of the panel.
        queries: what to show.
        of: how a course becomes a number: ``lastNotNull``, ``mean``, ``max``, ``sum``.
        common: see ``Common``.

    """
    options = {
        "colorMode": "value",
        "graphMode": "area",
        "justifyMode": "auto",
        "textMode": "auto",
        "reduceOptions": _reduced(of),
        "wideLayout": True,
    }
    return _panel("stat", title, queries, common, width=4, height=4, options=options)


def gauge(title: str, *queries: Query | str, low: float = 0, high: float = 1, **common: Unpack[Common]) -> Panel:
    """A number between two others, in zones."""
    options = {"reduceOptions": _reduced(), "showThresholdLabels": False, "showThresholdMarkers": True}
    limits = {"min": low, "max": high}
    return _panel("gauge", title, queries, common, width=6, height=6, options=options, defaults=limits)


def bar_gauge(title: str, *queries: Query | str, low: float = 0, high: float = 1, **common: Unpack[Common]) -> Panel:
    """A bar for each series, in zones."""
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "valueMode": "color",
        "showUnfilled": True,
        "reduceOptions": _reduced(),
        "namePlacement": "auto",
        "sizing": "auto",
    }
    limits = {"min": low, "max": high}
    return _panel("bargauge", title, queries, common, width=8, height=8, options=options, defaults=limits)


def state_timeline(title: str, *queries: Query | str, states: Sequence[str] = (), **common: Unpack[Common]) -> Panel:
    """A band for each series, in the colours of its states.

    Args:
        title: of the panel.
        queries: what to show; 0, 1, 2 are the first, second, third state.
        states: their names; they have the colours of ``provisioning.colours``.
        common: see ``Common``.

    """
    options = {
        "alignValue": "left",
        "mergeValues": True,
        "rowHeight": 0.8,
        "showValue": "auto",
        "legend": {"showLegend": False, "displayMode": "list", "placement": "bottom", "calcs": []},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    custom = {"fillOpacity": 80, "lineWidth": 0}
    made = _panel("state-timeline", title, queries, common, width=12, height=8, options=options, custom=custom)
    return replace(made, states=_known(made, tuple(states)))


def state(title: str, *queries: Query | str, states: Sequence[str], **common: Unpack[Common]) -> Panel:
    """One state, as a word in its colour; 0, 1, 2 are the first, second, third of ``states``."""
    made = stat(title, *queries, **common)
    options = {**made.options, "colorMode": "background", "graphMode": "none"}
    return replace(made, states=_known(made, tuple(states)), options=options)


def heatmap(title: str, *queries: Query | str, **common: Unpack[Common]) -> Panel:
    """How often which values occurred, as in ``provisioning.promql.heat``; the unit is that of the values."""
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": "cps"},
        "legend": {"show": True},
        "filterValues": {"le": 1e-9},
        "rowsFrame": {"layout": "auto"},
        "showValue": "never",
        "color": {"mode": "scheme", "scheme": "Turbo", "steps": 64, "exponent": 0.5, "scale": "exponential"},
        "tooltip": {"mode": "single", "showColorScale": True, "yHistogram": True},
        "yAxis": {"axisPlacement": "left", "unit": common.get("unit", "")},
    }
    asked = [replace(_asked(each), format="heatmap") for each in queries]
    return _panel("heatmap", title, asked, common, width=8, height=8, options=options)


def table(
    title: str,
    *queries: Query | str,
    columns: Mapping[str, str] | None = None,
    **common: Unpack[Common],
) -> Panel:
    """Rows of the newest values.

    Args:
        title: of the panel.
        queries: what to show; several become columns of the same rows.
        columns: what labels are called in the table, in this order; others are left out.
        common: see ``Common``.

    """
    asked = [_asked(each) for each in queries]
    asked = [replace(each, instant=True, format="table") if each.source == "prometheus" else each for each in asked]
    shown: list[Mapping[str, Any]] = [*common.get("transformations", ())]
    if columns:
        order = {name: place for place, name in enumerate(columns)}
        shown.append({"id": "filterFieldsByName", "options": {"include": {"names": list(columns)}}})
        shown.append({"id": "organize", "options": {"indexByName": order, "renameByName": dict(columns)}})
    common["transformations"] = shown
    options = {"showHeader": True, "cellHeight": "sm"}
    return _panel("table", title, asked, common, width=12, height=8, options=options)


def logs(title: str, *queries: Query | str, **common: Unpack[Common]) -> Panel:
    """Log lines; those of a trace open it."""
    options = {
        "dedupStrategy": "none",
        "enableLogDetails": True,
        "prettifyLogMessage": False,
        "showCommonLabels": False,
        "showLabels": False,
        "showTime": True,
        "sortOrder": "Descending",
        "wrapLogMessage": True,
    }
    return _panel("logs", title, [_of(each, "loki") for each in queries], common, width=24, height=10, options=options)


def traces(
    title: str,
    service: str = "$service",
    *,
    operation: str = "",
    tags: str = "",
    limit: int = 20,
    **common: Unpack[Common],
) -> Panel:
    """The newest traces of a service; a click opens one.

    Args:
        title: of the panel.
        service: whose.
        operation: name of a span they contain.
        tags: what their spans say, in logfmt: ``error=true``.
        limit: how many.
        common: see ``Common``.

    """
    found: dict[str, Any] = {"queryType": "search", "service": service, "limit": limit}
    if operation:
        found["operation"] = operation
    if tags:
        found["tags"] = tags
    asked = [Query(source="jaeger", more=found)]
    return _panel("table", title, asked, common, width=12, height=10, options={"showHeader": True, "cellHeight": "sm"})


def text(
    title: str, content: str, *, mode: Literal["markdown", "html"] = "markdown", **common: Unpack[Common]
) -> Panel:
    """Words."""
    return _panel("text", title, (), common, width=24, height=4, options={"content": content, "mode": mode})


def _panel(
    kind: Kind,
    title: str,
    queries: Sequence[Query | str],
    common: Common,
    *,
    width: int,
    height: int,
    defaults: Mapping[str, Any] | None = None,
    custom: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Panel:
    return Panel(
        kind,
        title,
        tuple(_asked(query) for query in queries),
        common.get("slug") or slugged(title),
        description=common.get("description", ""),
        unit=common.get("unit", ""),
        width=common.get("width", width),
        height=common.get("height", height),
        thresholds=tuple(common.get("thresholds", ())),
        base=common.get("base", "green"),
        links=tuple(common.get("links", ())),
        defaults={**(defaults or {}), **common.get("defaults", {})},
        custom={**(custom or {}), **common.get("custom", {})},
        options={**(options or {}), **common.get("options", {})},
        overrides=tuple(common.get("overrides", ())),
        transformations=tuple(common.get("transformations", ())),
    )


def _asked(query: Query | str) -> Query:
    return Query(query) if isinstance(query, str) else query


def _of(query: Query | str, source: Literal["loki"]) -> Query:
    return replace(_asked(query), source=source)


def _reduced(calc: str = "lastNotNull") -> dict[str, Any]:
    return {"calcs": [calc], "fields": "", "values": False}


def _known(panel: Panel, states: tuple[str, ...]) -> tuple[str, ...]:
    if unknown := [name for name in states if name not in STATES]:
        message = f"panel {panel.slug!r}: {unknown[0]!r} has no colour in provisioning.colours.STATES"
        raise ValueError(message)
    return states
