"""What is marked on the panels of every board: halts, stops, breakers, deployments, alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.provisioning.colours import BAD, CALM, NOTED, WARNING
from otel_trading.provisioning.model import Annotation
from otel_trading.provisioning.variables import source

if TYPE_CHECKING:
    from otel_trading.provisioning.model import Json

_CHOSEN = 'job=~"$job", instance=~"$instance"'
_VERSIONS = 'count by (job, service_version) (target_info{telemetry_sdk_language="python", job=~"$job"}%s)'

HALTS = Annotation(
    *("Halts", f'max by (job) (trading_state{{{_CHOSEN}, trading_state_value="halted"}}) > 0'),
    *("{{job}} halted", BAD, "Trading was halted."),
)
STOPS = Annotation(
    *("Emergency stops", f"max by (job) (trading_emergency_stop_engaged{{{_CHOSEN}}}) > 0"),
    *("{{job}} emergency stop", "dark-red", "An emergency stop was engaged."),
)
BREAKERS = Annotation(
    *("Breaker trips",),
    "max by (job, trading_circuit_breaker_name) "
    f'(trading_circuit_breaker_state{{{_CHOSEN}, trading_circuit_breaker_state="open"}}) > 0',
    *("{{trading_circuit_breaker_name}} open", WARNING, "A circuit breaker was open."),
)
DEPLOYMENTS = Annotation(
    *("Deployments", f"{_VERSIONS % ''} unless {_VERSIONS % ' offset 2m'}"),
    *("{{job}} {{service_version}}", CALM, "A version of the bot that did not run two minutes before."),
)
ALERTS = Annotation(
    *("Alerts", 'max by (alertname, severity) (ALERTS{alertstate="firing", severity!="none"}) > 0'),
    *("{{alertname}}", NOTED, "{{severity}}"),
)

STANDARD = (HALTS, STOPS, BREAKERS, DEPLOYMENTS, ALERTS)
"""What every board marks."""


def rendered(annotation: Annotation) -> Json:
    """An annotation as Grafana has it."""
    return {
        "name": annotation.name,
        "datasource": source("prometheus"),
        "enable": True,
        "expr": annotation.expr,
        "iconColor": annotation.colour,
        "step": "15s",
        "titleFormat": annotation.title,
        "textFormat": annotation.text,
        "useValueForTime": False,
    }
