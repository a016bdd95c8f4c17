"""Alerts and rules as the bot, the ops server and the command line say them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from otel_trading.alerts.model import AlertLevel, AlertPayload
from otel_trading.alerts.rules.model import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.alerts.rules.model import Rule


def of_rule(rule: Rule) -> dict[str, Any]:
    """One rule as it is configured."""
    return {
        "name": rule.name,
        "enabled": rule.awake,
        "level": rule.level.value,
        "threshold": rule.threshold,
        "unit": rule.unit,
        "for": rule.for_,
        "resolve_after": rule.resolve_after,
        "escalation": [
            {"after": step.after, "level": step.level and step.level.value, "channels": list(step.channels)}
            for step in rule.steps
        ],
        "channels": list(rule.channels),
        "stop": rule.stop,
        "runbook": rule.runbook,
        "options": dict(rule.options),
    }


def told(level: str, title: str, message: str, fields: Mapping[str, object], time_ns: int) -> AlertPayload:
    """What the bot told, as an alert."""
    texts = {key: shown(value) for key, value in fields.items() if value is not None}
    return AlertPayload(AlertLevel(level), title, message, datetime.fromtimestamp(time_ns / 1e9, UTC), texts)
