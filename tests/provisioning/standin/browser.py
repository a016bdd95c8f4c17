"""What a browser does to a dashboard that is saved there: it fills in defaults, and puts all in another order."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.provisioning.standin.state import Board

DEFAULTS: dict[str, dict[str, Any]] = {
    "timeseries": {
        "color": {"mode": "palette-classic"},
        "custom": {
            "axisBorderShow": False,
            "axisCenteredZero": False,
            "axisColorMode": "text",
            "axisLabel": "",
            "axisPlacement": "auto",
            "barAlignment": 0,
            "barWidthFactor": 0.6,
            "drawStyle": "line",
            "fillOpacity": 0,
            "gradientMode": "none",
            "hideFrom": {"legend": False, "tooltip": False, "viz": False},
            "insertNulls": False,
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "pointSize": 5,
            "scaleDistribution": {"type": "linear"},
            "showPoints": "auto",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "none"},
            "thresholdsStyle": {"mode": "off"},
        },
        "options": {
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"hideZeros": False, "mode": "single", "sort": "none"},
        },
    },
    "stat": {
        "color": {"mode": "thresholds"},
        "options": {
            "colorMode": "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            "showPercentChange": False,
            "textMode": "auto",
            "wideLayout": True,
        },
    },
}
BUILT_IN = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}


def decorated(board: dict[str, Any], version: str = "12.1.0") -> dict[str, Any]:
    """A dashboard as a browser would save it, without any change of somebody's."""
    made: dict[str, Any] = copy.deepcopy(board)
    for key, value in {
        "editable": True,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 0,
        "links": [],
        "preload": False,
        "refresh": "",
        "tags": [],
        "timepicker": {},
        "timezone": "",
        "weekStart": "",
    }.items():
        made.setdefault(key, value)
    made |= {"id": 17, "iteration": 1700000000000, "version": 4}
    marks = made.setdefault("annotations", {}).setdefault("list", [])
    if not any(mark.get("builtIn") for mark in marks):
        marks.insert(0, copy.deepcopy(BUILT_IN))
    for variable in made.setdefault("templating", {}).setdefault("list", []):
        variable |= {"current": {"selected": True, "text": "All", "value": ["$__all"]}, "options": [], "hide": 0}
        variable.setdefault("skipUrlSync", False)
        variable.setdefault("allowCustomValue", True)
    for panel in _flat(made.get("panels", [])):
        _decorate(panel, version)
    made["panels"] = made.get("panels", [])[::-1]
    return _reversed(made)  # type: ignore[no-any-return]


def saved(there: Board, edit: Callable[[dict[str, Any]], object], major: int, version: str) -> None:
    """Somebody edits a dashboard in the browser and saves it."""
    board = copy.deepcopy(there.classic)
    edit(board)
    there.classic = decorated(board, version)
    there.version += 1
    if major >= 13:
        there.stored, there.native = "v2", _native(there.classic)
    else:
        there.stored = "v1beta1" if major == 12 else "v0alpha1"


def _native(board: dict[str, Any]) -> dict[str, Any]:
    """The newer schema of a dashboard, as far as tests look at it."""
    panels = [panel for panel in _flat(board["panels"]) if panel.get("type") != "row"]
    items = [{"kind": "GridLayoutItem", "spec": {"element": {"name": f"panel-{panel['id']}"}}} for panel in panels]
    return {
        "title": board["title"],
        "elements": {f"panel-{panel['id']}": {"kind": "Panel", "spec": {"id": panel["id"]}} for panel in panels},
        "layout": {"kind": "GridLayout", "spec": {"items": items}},
        "variables": [
            {"kind": "QueryVariable", "spec": {"name": each["name"]}} for each in board["templating"]["list"]
        ],
        "annotations": [],
        "links": board.get("links", []),
    }


def _decorate(panel: dict[str, Any], version: str) -> None:
    panel["pluginVersion"] = version
    panel.setdefault("transparent", False)
    known = DEFAULTS.get(panel.get("type", ""))
    if panel.get("type") == "row":
        panel.pop("pluginVersion")
        panel |= {"collapsed": panel.get("collapsed", False), "panels": panel.get("panels", [])}
        return
    for target in panel.get("targets", []):
        if isinstance(panel.get("datasource"), dict) and not panel["datasource"]["uid"].startswith("--"):
            target.setdefault("datasource", dict(panel["datasource"]))
    if known is None or "libraryPanel" in panel:
        return
    config = panel.setdefault("fieldConfig", {})
    config.setdefault("overrides", [])
    fields = config.setdefault("defaults", {})
    fields.setdefault("mappings", [])
    fields.setdefault(
        "thresholds", {"mode": "absolute", "steps": [{"color": "green", "value": None}, {"color": "red", "value": 80}]}
    )
    fields.setdefault("color", dict(known["color"]))
    if "custom" in known:
        fields["custom"] = {**copy.deepcopy(known["custom"]), **fields.get("custom", {})}
    panel["options"] = _filled(copy.deepcopy(known["options"]), panel.get("options", {}))


def _filled(supposed: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(supposed.get(key), dict):
            supposed[key] = _filled(supposed[key], value)
        else:
            supposed[key] = value
    return supposed


def _flat(panels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for panel in panels for each in (panel, *panel.get("panels", []))]


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in sorted(value, reverse=True)}
    return [_reversed(each) for each in value] if isinstance(value, list) else value
