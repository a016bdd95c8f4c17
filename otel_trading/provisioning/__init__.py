"""Dashboards, alert rules and service levels in Python, and their round trip through Grafana."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.provisioning.dashboard import Dashboard, DashboardError
    from otel_trading.provisioning.model import Annotation, Link, Panel, Query, Row, Threshold, Variable
    from otel_trading.provisioning.panels import (
        bar_gauge,
        gauge,
        heatmap,
        logs,
        stat,
        state,
        state_timeline,
        table,
        text,
        timeseries,
        traces,
    )
    from otel_trading.provisioning.rules import Burn, Case, Group, Recording, Rule, Slo
    from otel_trading.provisioning.units import UnknownUnitError

_HOMES = {
    **dict.fromkeys(("Dashboard", "DashboardError"), "dashboard"),
    **dict.fromkeys(("Annotation", "Link", "Panel", "Query", "Row", "Threshold", "Variable"), "model"),
    **dict.fromkeys(("bar_gauge", "gauge", "heatmap", "logs", "stat", "state"), "panels"),
    **dict.fromkeys(("state_timeline", "table", "text", "timeseries", "traces"), "panels"),
    **dict.fromkeys(("Burn", "Case", "Group", "Recording", "Rule", "Slo"), "rules"),
    "UnknownUnitError": "units",
}

__all__ = [
    "Annotation",
    "Burn",
    "Case",
    "Dashboard",
    "DashboardError",
    "Group",
    "Link",
    "Panel",
    "Query",
    "Recording",
    "Row",
    "Rule",
    "Slo",
    "Threshold",
    "UnknownUnitError",
    "Variable",
    "bar_gauge",
    "gauge",
    "heatmap",
    "logs",
    "stat",
    "state",
    "state_timeline",
    "table",
    "text",
    "timeseries",
    "traces",
]


def __getattr__(name: str) -> object:
    """Import only what is asked for."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
