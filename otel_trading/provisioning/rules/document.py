"""The page of all alerts."""

from __future__ import annotations

from otel_trading.provisioning.rules.kit import RULES

_TITLES = {
    "orders": "Orders and trades",
    "risk": "Risk",
    "market-data": "Market data",
    "venues": "Venues",
    "latency": "Latency",
    "bot": "The bot",
    "telemetry": "Telemetry",
    "stack": "The stack",
    "logs": "Logs (Grafana alone)",
}


def markdown() -> str:
    """A table for each group, with links to the runbooks."""
    parts = ["# All alerts\n\nWritten by `make generate`. How they come about is in [rules](rules.md).\n"]
    heading = ""
    for group in RULES:
        title = _TITLES.get(group.name, "Service levels")
        if title != heading:
            heading = title
            parts.append(f"\n## {title}\n\n| alert | severity | for | |\n|---|---|---|---|\n")
        for rule in group.alerts:
            link = f"[`{rule.name}`](runbooks/{rule.name}.md)"
            parts.append(f"| {link} | {rule.severity} | {rule.for_} | {rule.description or rule.summary} |\n")
    return "".join(parts)
