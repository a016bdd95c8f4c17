"""All rules as the files that Prometheus, promtool, Alertmanager and Grafana read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.provisioning.rules import alertmanager, grafana, prometheus
from otel_trading.provisioning.rules.kit import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_trading.provisioning.rules.model import Group

RULES_FOLDER = "collector/rules"
TESTS_FOLDER = "collector/rules/tests"
GRAFANA_FOLDER = "grafana/alerting"


def files() -> dict[str, str]:
    """What is committed: texts by paths in the repository.

    Prometheus alerts, as its rules are where it looks. Those of Grafana are beside what Grafana looks at: whoever wants
    its engine gives it that folder instead, and Prometheus files without alerts. Never do both tell.
    """
    found = {f"{RULES_FOLDER}/{name}": text for name, text in for_prometheus(RULES).items()}
    found |= {f"{TESTS_FOLDER}/{name}": text for name, text in tests(RULES).items()}
    found["collector/alertmanager.yml"] = alertmanager.configuration().text
    return {**found, **{f"{GRAFANA_FOLDER}/{name}": text for name, text in grafana.files(RULES).items()}}


def for_prometheus(
    groups: Iterable[Group], *, alerts: bool = True, scale: float = 1.0, runbooks: str = prometheus.RUNBOOKS
) -> dict[str, str]:
    """The files of groups by name; those that have nothing for Prometheus are not among them."""
    return {
        f"{group.name}.yml": prometheus.rules_file(group, alerts=alerts, scale=scale, runbooks=runbooks)
        for group in groups
        if group.recordings or (alerts and any(not rule.loki for rule in group.alerts))
    }


def tests(groups: Iterable[Group]) -> dict[str, str]:
    """Promtool's tests of groups by name of their files."""
    return {
        f"{group.name}.test.yml": prometheus.cases_file(group)
        for group in groups
        if any(not rule.loki for rule in group.alerts)
    }
