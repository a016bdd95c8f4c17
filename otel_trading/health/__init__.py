"""Health: what the bot consists of and depends on, and how each of it is.

>>> import otel_trading as ot
>>> ot.health.redis("redis://localhost:6379").kind
'redis'
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.health.checks.probes import UnhealthyError, collector, dns, http, postgres, redis, tcp, websocket
    from otel_trading.health.document import health_json
    from otel_trading.health.model import Component, Condition, HealthReport, State

__all__ = [
    "Component",
    "Condition",
    "HealthReport",
    "State",
    "UnhealthyError",
    "collector",
    "dns",
    "health_json",
    "http",
    "postgres",
    "redis",
    "tcp",
    "websocket",
]

_PROBES = "otel_trading.health.checks.probes"
_HOMES = {
    **dict.fromkeys(("Component", "Condition", "HealthReport", "State"), "otel_trading.health.model"),
    **dict.fromkeys(("UnhealthyError", "collector", "dns", "http", "postgres", "redis", "tcp", "websocket"), _PROBES),
    "health_json": "otel_trading.health.document",
}


def __getattr__(name: str) -> object:
    """Import what is asked for, and only then."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
