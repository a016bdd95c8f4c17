"""Rules on the bot itself and what it depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.rules.model import Finding, Rule, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.alerts.rules.view import View

_MEGABYTE = 1_000_000
_VERY_LOW = 8


def _service(view: View, _: Rule) -> Iterator[Finding]:
    for component in view.health.components:
        if component.state == "down":
            fields = {"component": component.name, "reasons": "; ".join(component.reasons) or None}
            venue = {"venue": component.name} if any(of == component.name for of, _ in view.connections) else {}
            level = None if component.critical else AlertLevel.ERROR
            yield Finding(component.name, {**fields, **venue}, level)


def _disk(view: View, rule: Rule) -> Iterator[Finding]:
    for disk in view.disks:
        free, limit = disk.free / _MEGABYTE, rule.threshold or 0.0
        if free < (limit * 1.1 if view.fires(rule.name, disk.path) else limit):
            level = AlertLevel.CRITICAL if free < limit / _VERY_LOW else None
            yield Finding(disk.path, {"path": disk.path, "free_mb": free, "total_mb": disk.total / _MEGABYTE}, level)


WELLBEING = (
    Rule(
        "service_down",
        AlertLevel.CRITICAL,
        _service,
        "{component} is down",
        "{reasons}",
        for_=30.0,
        resolve_after=5.0,
    ),
    Rule(
        "low_disk_space",
        AlertLevel.WARNING,
        _disk,
        "Little space left on {path}",
        "{free_mb:,.0f} MB of {total_mb:,.0f} MB are free.",
        threshold=1_000.0,
        unit="megabytes free",
        resolve_after=30.0,
        steps=(Step(3_600.0, AlertLevel.ERROR),),
    ),
)
