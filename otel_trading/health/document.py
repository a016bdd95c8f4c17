"""The report as JSON could say it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.health.model import Component, Condition, HealthReport

_OUTSIDE = frozenset({"dependency", "collector"})
_DEEPEST = 6


def health_json(report: HealthReport) -> Mapping[str, object]:
    """The document of ``/health/detailed``.

    ``status`` is healthy, degraded or down; ``services`` and ``dependencies`` are components by name; ``metrics`` are
    figures of the process; times are ISO 8601 in UTC.

    >>> from otel_trading.health.model import Component, HealthReport
    >>> found = health_json(HealthReport("healthy", ready=True, components=(Component("postgres", "healthy"),)))
    >>> list(found)
    ['status', 'ready', 'timestamp', 'reasons', 'not_ready', 'services', 'dependencies', 'conditions', 'metrics']
    """
    return {
        "status": report.state,
        "ready": report.ready,
        "timestamp": _time(report.time_ns),
        "reasons": list(report.reasons),
        "not_ready": list(report.not_ready),
        "services": {each.name: _component(each) for each in report.components if each.kind not in _OUTSIDE},
        "dependencies": {each.name: _component(each) for each in report.components if each.kind in _OUTSIDE},
        "conditions": [_condition(each) for each in report.conditions],
        "metrics": plain(report.metrics),
    }


def plain(value: object, depth: int = 0) -> object:
    """A value as JSON can say it, whatever it is.

    >>> plain({"age": float("nan"), "names": ("a", 1)})
    {'age': None, 'names': ['a', 1]}
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping) and depth < _DEEPEST:
        return {str(key): plain(each, depth + 1) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) and depth < _DEEPEST:
        return [plain(each, depth + 1) for each in value]
    return str(value)


def _component(component: Component) -> Mapping[str, object]:
    return {
        "service": component.name,
        "status": component.state,
        "kind": component.kind,
        "critical": component.critical,
        "last_check": _time(component.checked_ns),
        "since": _time(component.since_ns),
        "reasons": list(component.reasons),
        "details": plain(component.details),
        "dependencies": list(component.dependencies),
    }


def _condition(condition: Condition) -> Mapping[str, object]:
    return {
        "condition": condition.kind,
        "subject": condition.subject,
        "value": plain(condition.value),
        "limit": plain(condition.limit),
        "text": condition.text,
        "since": _time(condition.since_ns),
    }


def _time(time_ns: int) -> str | None:
    if not time_ns:
        return None
    return datetime.fromtimestamp(time_ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
