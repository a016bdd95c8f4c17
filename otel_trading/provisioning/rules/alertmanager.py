"""Alertmanager's configuration: who is told what, who is not, and when nobody is.

No secret is in it: receivers read theirs from files of their own, which ``otel-trading stack up`` writes from the
environment. A receiver whose variables are not set is not there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.rules.channels import CHANNELS, Channel
from otel_trading.provisioning.rules.documents import WRITTEN_BY, dump
from otel_trading.provisioning.rules.maintenance import DEFAULT, Window, windows

if TYPE_CHECKING:
    from collections.abc import Mapping

SECRETS = "/etc/alertmanager/secrets"
_TITLE = (
    '{{ if eq .Status "firing" }}{{ .CommonLabels.severity | toUpper }}{{ else }}OVER{{ end }}: '
    "{{ .CommonLabels.alertname }}{{ if gt (len .Alerts) 1 }} ({{ len .Alerts }}){{ end }}"
)
_TEXT = (
    "{{ range .Alerts }}{{ .Annotations.summary }}\n"
    "{{ if .Annotations.description }}{{ .Annotations.description }}\n{{ end }}"
    "{{ if .Annotations.runbook_url }}Runbook: {{ .Annotations.runbook_url }}\n{{ end }}"
    "{{ if .Annotations.dashboard }}Dashboard: {{ .Annotations.dashboard }}\n{{ end }}\n{{ end }}"
)
_DASHBOARD = "Dashboard: {{"
TEMPLATES = {"title": _TITLE, "text": _TEXT}
HEAD = (
    WRITTEN_BY
    + "# As it is here it tells nobody: `otel-trading stack up` adds the receivers whose variables (ALERT_*) are set.\n"
)


@dataclass(frozen=True, slots=True)
class Configured:
    """A configuration and the secrets that it reads: texts by the names of their files."""

    text: str
    secrets: Mapping[str, str] = field(repr=False)
    receivers: tuple[str, ...] = ()


def configuration(environment: Mapping[str, str] | None = None, *, secrets: str = SECRETS) -> Configured:
    """The configuration for what is set in ``environment``.

    Args:
        environment: the variables, see `otel_trading.provisioning.rules.channels`.
        secrets: the folder in which Alertmanager finds the files of secrets.

    Raises:
        ValueError: a variable has a value that cannot be used, or one of several that belong together is missing.

    """
    environment = environment or {}
    found = [(channel, taken) for channel in CHANNELS if (taken := channel.taken(environment))]
    calm = windows(environment.get("ALERT_MAINTENANCE") or DEFAULT)
    waits = environment.get("ALERT_GROUP_WAIT") or "10s"
    texts = {
        **TEMPLATES,
        "text": _TEXT.replace(_DASHBOARD, f"Dashboard: {address(environment, 'ALERT_GRAFANA_URL')}{{{{"),
    }
    content: dict[str, Any] = {
        "route": _routes(calm, waits, has_watchdog=any(channel.name == "watchdog" for channel, _ in found)),
        "inhibit_rules": _inhibitions(),
        "time_intervals": [_interval(window) for window in calm],
        "receivers": [
            _receiver(name, found, secrets, texts) for name in ("nobody", "critical", "warning", "info", "watchdog")
        ],
    }
    files = {name: text for channel, taken in found for name, text in channel.secret_files(taken).items()}
    return Configured(dump(content, HEAD), files, tuple(channel.name for channel, _ in found))


def address(environment: Mapping[str, str], name: str) -> str:
    """An address that others are appended to; empty where it is not set.

    Raises:
        ValueError: it is none.

    """
    value = environment.get(name, "").strip().rstrip("/")
    if value and not re.fullmatch(r"https?://[^\s{}]+", value):
        raise ValueError(f"{name}={value!r} is not allowed; allowed is an address such as https://grafana.example.com")
    return value


def _routes(calm: list[Window], waits: str, *, has_watchdog: bool) -> dict[str, Any]:
    muted = [
        {
            "receiver": severity,
            "matchers": [f'severity="{severity}"', f'trading_venue_name="{window.venue}"'],
            "mute_time_intervals": [window.name],
        }
        for window in calm
        for severity in ("critical", "warning", "info")
    ]
    watchdog: dict[str, Any] = {"receiver": "watchdog", "matchers": ['alertname="Watchdog"']}
    if has_watchdog:
        watchdog |= {"group_wait": "0s", "group_interval": "1m", "repeat_interval": "1m"}
    return {
        "receiver": "nobody",
        "group_by": ["alertname", "job", "trading_venue_name"],
        "group_wait": waits,
        "group_interval": "1m",
        "repeat_interval": "4h",
        "routes": [
            watchdog,
            *muted,
            {"receiver": "critical", "matchers": ['severity="critical"'], "repeat_interval": "1h"},
            {"receiver": "warning", "matchers": ['severity="warning"']},
            {"receiver": "info", "matchers": ['severity="info"'], "group_interval": "15m", "repeat_interval": "24h"},
        ],
    }


def _inhibitions() -> list[dict[str, Any]]:
    """The graver says it for both, and a bot that is gone for everything that is known of it."""
    collector = ['alertname="StackComponentDown"', 'job="otelcol"']
    pairs = [
        ('alertname="BotGone"', 'alertname!~"BotGone|Watchdog"', ["job", "instance"]),
        (
            'alertname="VenueDown"',
            'alertname=~"MarketData.*|VenueConnectionLost|VenueReconnects|FeedLatencyHigh"',
            None,
        ),
        ('alertname="MarketDataFrozen"', 'alertname=~"MarketDataStale|MarketDataThin"', None),
        ('alertname="VenueRefusesOrders"', 'alertname="OrderRejectRateHigh"', None),
        (
            'alertname=~"PositionBreach|LossLimitBreach"',
            'alertname="LimitBreach"',
            ["job", "instance", "trading_risk_limit_name"],
        ),
        ('alertname="EmergencyStopEngaged"', 'alertname="TradingHalted"', ["job", "instance"]),
        ('alertname="DiskAlmostFull"', 'alertname="DiskSpaceLow"', ["job", "instance", "system_filesystem_mountpoint"]),
    ]
    venue = ["job", "instance", "trading_venue_name"]
    return [
        # without the Collector nothing comes from any bot: that is not the bots' fault
        {"source_matchers": collector, "target_matchers": ['alertname=~"BotGone|BotCrashed|TelemetrySpoolOld"']},
        *(
            {"source_matchers": [source], "target_matchers": [target], "equal": venue if equal is None else equal}
            for source, target, equal in pairs
        ),
        {
            "source_matchers": ['severity="critical"', 'sloth_id!=""'],
            "target_matchers": ['severity="warning"', 'sloth_id!=""'],
            "equal": ["sloth_id", "job", "trading_venue_name", "trading_stage_name"],
        },
    ]


def _interval(window: Window) -> dict[str, Any]:
    interval: dict[str, Any] = {"times": [{"start_time": window.start, "end_time": window.end}]}
    if window.days:
        interval["weekdays"] = [window.days]
    return {"name": window.name, "time_intervals": [{**interval, "location": window.location}]}


def _receiver(
    name: str, found: list[tuple[Channel, dict[str, str]]], secrets: str, texts: Mapping[str, str]
) -> dict[str, Any]:
    receiver: dict[str, Any] = {"name": name}
    for channel, taken in found:
        if name in channel.severities:
            receiver.setdefault(channel.section, []).append(channel.settings(taken, secrets, texts))
    return receiver
