"""What Grafana supposes where a dashboard says nothing, and writes into it when somebody saves it in the browser."""

from __future__ import annotations

from typing import Any

BOARD: dict[str, Any] = {
    "description": "",
    "editable": True,
    "fiscalYearStartMonth": 0,
    "graphTooltip": 0,
    "links": [],
    "liveNow": False,
    "preload": False,
    "refresh": "",
    "style": "dark",
    "tags": [],
    "time": {"from": "now-6h", "to": "now"},
    "timepicker": {},
    "timezone": "",
    "weekStart": "",
}

PANEL: dict[str, Any] = {
    "cacheTimeout": "",
    "collapsed": False,
    "description": "",
    "fieldConfig": {
        "defaults": {
            "mappings": [],
            "thresholds": {"mode": "absolute", "steps": [{"color": "green"}, {"color": "red", "value": 80}]},
        },
        "overrides": [],
    },
    "hideTimeOverride": False,
    "interval": "",
    "links": [],
    "repeat": "",
    "targets": [],
    "title": "",
    "transformations": [],
    "transparent": False,
}

TARGET: dict[str, Any] = {
    "disableTextWrap": False,
    "format": "time_series",
    "fullMetaSearch": False,
    "hide": False,
    "includeNullMetadata": True,
    "queryType": "",
    "useBackend": False,
}

VARIABLE: dict[str, Any] = {
    "allValue": "",
    "allowCustomValue": True,
    "auto": False,
    "description": "",
    "error": "",
    "hide": 0,
    "includeAll": False,
    "label": "",
    "multi": False,
    "regex": "",
    "regexApplyTo": "value",
    "skipUrlSync": False,
    "sort": 0,
    "tagValuesQuery": "",
    "tags": [],
    "tagsQuery": "",
    "useTags": False,
}

ANNOTATION: dict[str, Any] = {"builtIn": 0, "hide": False}

_HIDDEN = {"hideFrom": {"legend": False, "tooltip": False, "viz": False}}
_LEGEND = {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True}
_TOOLTIP = {"hideZeros": False, "mode": "single", "sort": "none"}
_REDUCED = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_PALETTE = {"mode": "palette-classic"}
_THRESHOLDS = {"mode": "thresholds"}

_AXIS = {
    "axisBorderShow": False,
    "axisCenteredZero": False,
    "axisColorMode": "text",
    "axisGridShow": True,
    "axisLabel": "",
    "axisPlacement": "auto",
    "scaleDistribution": {"type": "linear"},
    **_HIDDEN,
}

_STANDARD: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "timeseries": (
        _PALETTE,
        {
            **_AXIS,
            "barAlignment": 0,
            "barWidthFactor": 0.6,
            "drawStyle": "line",
            "fillOpacity": 0,
            "gradientMode": "none",
            "insertNulls": False,
            "lineInterpolation": "linear",
            "lineStyle": {"fill": "solid"},
            "lineWidth": 1,
            "pointSize": 5,
            "showPoints": "auto",
            "showValues": False,
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "none"},
            "thresholdsStyle": {"mode": "off"},
        },
        {"legend": _LEGEND, "tooltip": _TOOLTIP},
    ),
    "stat": (
        _THRESHOLDS,
        {},
        {
            "colorMode": "value",
            "graphMode": "area",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": _REDUCED,
            "showPercentChange": False,
            "textMode": "auto",
            "wideLayout": True,
        },
    ),
    "gauge": (
        _THRESHOLDS,
        {},
        {
            "minVizHeight": 75,
            "minVizWidth": 75,
            "orientation": "auto",
            "reduceOptions": _REDUCED,
            "showThresholdLabels": False,
            "showThresholdMarkers": True,
            "sizing": "auto",
        },
    ),
    "bargauge": (
        _THRESHOLDS,
        {},
        {
            "displayMode": "gradient",
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": False},
            "maxVizHeight": 300,
            "minVizHeight": 16,
            "minVizWidth": 8,
            "namePlacement": "auto",
            "orientation": "auto",
            "reduceOptions": _REDUCED,
            "showUnfilled": True,
            "sizing": "auto",
            "valueMode": "color",
        },
    ),
    "table": (
        _THRESHOLDS,
        {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": False, "inspect": False},
        {
            "cellHeight": "sm",
            "footer": {"countRows": False, "fields": "", "reducer": ["sum"], "show": False},
            "showHeader": True,
        },
    ),
    "state-timeline": (
        _THRESHOLDS,
        {"axisPlacement": "auto", "fillOpacity": 70, "insertNulls": False, "lineWidth": 0, "spanNulls": False}
        | _HIDDEN,
        {
            "alignValue": "left",
            "legend": _LEGEND,
            "mergeValues": True,
            "rowHeight": 0.9,
            "showValue": "auto",
            "tooltip": _TOOLTIP,
        },
    ),
    "heatmap": (
        _THRESHOLDS,
        {"scaleDistribution": {"type": "linear"}, **_HIDDEN},
        {
            "calculate": False,
            "cellGap": 1,
            "exemplars": {"color": "rgba(255,0,255,0.7)"},
            "filterValues": {"le": 1e-9},
            "rowsFrame": {"layout": "auto"},
            "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "reverse": False},
        },
    ),
    "logs": (
        _THRESHOLDS,
        {},
        {
            "dedupStrategy": "none",
            "enableInfiniteScrolling": False,
            "enableLogDetails": True,
            "prettifyLogMessage": False,
            "showCommonLabels": False,
            "showLabels": False,
            "showTime": False,
            "sortOrder": "Descending",
            "wrapLogMessage": False,
        },
    ),
    "text": (
        _THRESHOLDS,
        {},
        {"code": {"language": "plaintext", "showLineNumbers": False, "showMiniMap": False}, "mode": "markdown"},
    ),
}
"""For a kind of panel: how it is coloured, what it adds to each field, and its own options."""


def of_panel(kind: str) -> dict[str, Any]:
    """What a panel of this kind has when it says nothing.

    >>> of_panel("stat")["options"]["graphMode"]
    'area'
    >>> "options" in of_panel("a kind from elsewhere")
    False
    """
    if kind not in _STANDARD:
        return PANEL
    colour, custom, options = _STANDARD[kind]
    config = PANEL["fieldConfig"]
    fields = {**config["defaults"], "color": colour, "custom": custom}
    return {**PANEL, "fieldConfig": {**config, "defaults": fields}, "options": options}
