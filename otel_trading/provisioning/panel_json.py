"""A panel as Grafana has it."""

from __future__ import annotations

from string import ascii_uppercase
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.colours import STATES
from otel_trading.provisioning.ids import panel_id
from otel_trading.provisioning.units import unit
from otel_trading.provisioning.variables import source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_trading.provisioning.layout import Place
    from otel_trading.provisioning.model import Json, Link, Panel, Query, Row, Source

_BY_SERIES = {"timeseries"}


def rendered(panel: Panel, place: Place) -> Json:
    """A panel at its place."""
    made: Json = {
        "type": panel.kind,
        "id": panel_id(panel.slug),
        "title": panel.title,
        "description": panel.description,
        "gridPos": dict(place),
        "options": dict(panel.options),
        "links": links(panel.links),
    }
    if panel.kind == "text":
        return made
    sources: list[Source] = [query.source for query in panel.queries]
    made["datasource"] = source(sources[0])
    made["fieldConfig"] = {"defaults": _defaults(panel), "overrides": list(_overrides(panel))}
    made["targets"] = [_target(query, ref) for ref, query in zip(ascii_uppercase, panel.queries, strict=False)]
    if panel.transformations:
        made["transformations"] = [dict(each) for each in panel.transformations]
    return made


def heading(row: Row, top: int) -> Json:
    """The heading of a row."""
    place = {"h": 1, "w": 24, "x": 0, "y": top}
    number = panel_id(f"row {row.title}")
    return {"type": "row", "id": number, "title": row.title, "collapsed": row.collapsed, "gridPos": place, "panels": []}


def links(given: Iterable[Link]) -> list[Json]:
    """Links of a panel."""
    return [{"title": link.title, "url": link.url, "targetBlank": link.new_tab} for link in given]


def _target(query: Query, ref: str) -> Json:
    asked: Json = {"refId": ref, "datasource": source(query.source), **query.more}
    if query.source == "jaeger":
        return asked
    asked |= {"expr": query.expr, "editorMode": "code"}
    if query.legend:
        asked["legendFormat"] = query.legend
    if query.source == "loki":
        return {"queryType": "instant" if query.instant else "range", **asked}
    asked |= {"instant": query.instant, "range": not query.instant, "format": query.format}
    if "legendFormat" not in asked:
        asked["legendFormat"] = "__auto"
    if query.exemplars:
        asked["exemplar"] = True
    return asked


def _defaults(panel: Panel) -> Json:
    found: Json = {**panel.defaults, "unit": unit(panel.unit)}
    found["custom"] = dict(panel.custom)
    found["color"] = {"mode": "palette-classic-by-name" if panel.kind in _BY_SERIES else "thresholds"}
    steps: list[Json] = [{"color": panel.base, "value": None}]
    steps += [{"color": each.colour, "value": each.value} for each in panel.thresholds]
    found["thresholds"] = {"mode": "absolute", "steps": steps}
    if panel.states:
        named = {
            str(number): {"text": name.replace("_", " "), "color": STATES[name], "index": number}
            for number, name in enumerate(panel.states)
        }
        found["mappings"] = [{"type": "value", "options": named}]
    return found


def _overrides(panel: Panel) -> Iterable[Json]:
    if panel.kind == "timeseries":
        yield from (_coloured(state) for state in STATES if _by_state(panel, state))
    for ref, query in zip(ascii_uppercase, panel.queries, strict=False):
        properties = list(_properties(query))
        if properties:
            yield {"matcher": {"id": "byFrameRefID", "options": ref}, "properties": properties}
    yield from (dict(each) for each in panel.overrides)


def _coloured(state: str) -> Json:
    fixed = {"id": "color", "value": {"mode": "fixed", "fixedColor": STATES[state]}}
    return {"matcher": {"id": "byRegexp", "options": f"/\\b{state}$/"}, "properties": [fixed]}


def _by_state(panel: Panel, state: str) -> bool:
    """Whether the panel's series are called by such states: the last label of a legend says so."""
    return any(state in STATE_LABELS.get(_last_label(query.legend), ()) for query in panel.queries)


def _last_label(legend: str) -> str:
    return legend.rpartition("{{")[2].partition("}}")[0] if legend.endswith("}}") else ""


def _properties(query: Query) -> Iterable[Mapping[str, Any]]:
    if query.style == "limit":
        yield {"id": "color", "value": {"mode": "fixed", "fixedColor": "red"}}
        yield {"id": "custom.lineStyle", "value": {"fill": "dash", "dash": [8, 8]}}
        yield {"id": "custom.fillOpacity", "value": 0}
    if query.style == "bars":
        yield {"id": "custom.drawStyle", "value": "bars"}
        yield {"id": "custom.fillOpacity", "value": 60}
    if query.style == "right":
        yield {"id": "custom.axisPlacement", "value": "right"}
    if query.unit:
        yield {"id": "unit", "value": unit(query.unit)}


STATE_LABELS: dict[str, tuple[str, ...]] = {
    "trading_order_status": ("new", "partially_filled", "filled", "canceled", "expired", "rejected"),
    "trading_trade_outcome": ("success", "partial", "timeout", "failed"),
    "trading_order_side": ("buy", "sell", "sell_short"),
    "trading_alert_outcome": ("sent", "suppressed", "dropped", "failed"),
    "trading_alert_level": ("info", "warning", "error", "critical"),
    "trading_risk_result": ("ok", "passed", "warned", "refused"),
    "trading_chain_outcome": ("confirmed", "failed", "dropped"),
    "trading_circuit_breaker_state": ("closed", "half_open", "open"),
    "trading_health_state": ("healthy", "degraded", "down"),
    "detected_level": ("trace", "debug", "info", "warn", "warning", "error", "critical", "fatal"),
    "severity": ("info", "warning", "critical"),
}
"""Labels whose values have colours of their own."""
