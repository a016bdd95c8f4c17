"""Health, alerts and the emergency stop."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from otel_trading.ops.cockpit.values import Tree, known, milliseconds, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_trading.alerts.manager import AlertManager
    from otel_trading.alerts.model import AlertPayload
    from otel_trading.health.model import Component, HealthReport
    from otel_trading.risk.emergency import EmergencyState

COMPONENTS, ALERTS, FIELDS, REASONS = 60, 30, 12, 5


def health(report: HealthReport) -> Tree:
    """The bot and what it consists of."""
    return {
        "state": report.state,
        "ready": report.ready,
        "reasons": [words(reason) for reason in report.reasons[:REASONS]],
        "components": {words(each.name, 120) or "-": _component(each) for each in report.components[:COMPONENTS]},
    }


def _component(component: Component) -> Tree:
    return known(
        state=component.state,
        critical=component.critical,
        reasons=[words(reason) for reason in component.reasons[:REASONS]],
        needs=[words(name, 120) for name in component.dependencies[:FIELDS]],
        details=_texts(component.details),
        since=milliseconds(component.since_ns),
    )


def alerts(manager: AlertManager) -> Tree:
    """What is not over, and what was told last."""
    active = list(manager.active())
    return {
        "count": len(active),
        "active": _rows(active),
        "recent": _rows(manager.recent()),
    }


def _rows(found: Iterable[AlertPayload]) -> Tree:
    """By key and time; their place says how they are sorted."""
    rows: Tree = {}
    for place, alert in enumerate(islice(found, ALERTS)):
        began = round(alert.timestamp.timestamp() * 1_000)
        rows[f"{words(alert.key, 160)} {began} {alert.state}"] = known(
            place=place,
            level=alert.level.value,
            title=words(alert.title),
            message=words(alert.message),
            rule=words(alert.rule) or None,
            subject=words(alert.subject) or None,
            state=alert.state,
            fields=_texts(alert.fields) or None,
            since=began,
        )
    return rows


def emergency(state: EmergencyState) -> Tree:
    """Whether somebody stopped trading."""
    return known(
        engaged=state.engaged,
        reason=words(state.reason) or None,
        by=words(state.by) or None,
        since=milliseconds(state.since_ns),
    )


def _texts(fields: Mapping[str, object]) -> dict[str, str]:
    return {words(name, 80) or "-": words(value) or "" for name, value in islice(fields.items(), FIELDS)}
