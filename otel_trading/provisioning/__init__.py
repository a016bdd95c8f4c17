"""Dashboards, alert rules and service levels in Python, and their round trip through Grafana."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.provisioning.rules import Burn, Case, Group, Recording, Rule, Slo

__all__ = ["Burn", "Case", "Group", "Recording", "Rule", "Slo"]

_HOMES = dict.fromkeys(("Burn", "Case", "Group", "Recording", "Rule", "Slo"), "rules")


def __getattr__(name: str) -> object:
    """Import only what is asked for."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
