"""Dashboards and alert rules of a bot, small enough to read."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from otel_trading.provisioning import canonical
from otel_trading.provisioning.grafana.sources import Code, of
from otel_trading.provisioning.ids import panel_id

PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}
OVERVIEW: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "grafana" / "dashboards" / "overview.json").read_text("utf-8")
)


def panel(
    slug: str, kind: str = "timeseries", *, x: int = 0, y: int = 0, unit: str = "s", **more: Any
) -> dict[str, Any]:
    return {
        "id": panel_id(slug),
        "type": kind,
        "title": slug.capitalize(),
        "gridPos": {"x": x, "y": y, "w": 12, "h": 8},
        "datasource": PROMETHEUS,
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [{"refId": "A", "expr": f"{slug}_seconds", "datasource": PROMETHEUS}],
        **more,
    }


BOARD: dict[str, Any] = {
    "uid": "bot",
    "title": "Bot",
    "description": "What the bot does.",
    "schemaVersion": 41,
    "tags": ["trading"],
    "time": {"from": "now-1h", "to": "now"},
    "refresh": "10s",
    "templating": {
        "list": [
            {"name": "prometheus", "type": "datasource", "query": "prometheus"},
            {
                "name": "venue",
                "type": "query",
                "datasource": PROMETHEUS,
                "query": "label_values(up, venue)",
                "includeAll": True,
                "multi": True,
            },
        ]
    },
    "annotations": {
        "list": [{"name": "Halts", "datasource": PROMETHEUS, "enable": True, "expr": "halts", "iconColor": "red"}]
    },
    "panels": [
        panel("latency", exemplars=True),
        panel("orders", "stat", x=12, unit="ops"),
        {"id": panel_id("risk"), "type": "row", "title": "Risk", "gridPos": {"x": 0, "y": 8, "w": 24, "h": 1}},
        panel("limits", "table", y=9),
        {
            "id": panel_id("more"),
            "type": "row",
            "title": "More",
            "collapsed": True,
            "gridPos": {"x": 0, "y": 17, "w": 24, "h": 1},
            "panels": [
                panel("queue", "state-timeline", y=18),
                {
                    "id": panel_id("shared"),
                    "gridPos": {"x": 12, "y": 18, "w": 12, "h": 8},
                    "title": "Shared",
                    "type": "stat",
                    "libraryPanel": {"uid": "lib-1", "name": "Shared", "version": 3, "meta": {"folderUid": "x"}},
                },
            ],
        },
        panel(
            "book",
            "heatmap",
            y=25,
            transformations=[{"id": "organize", "options": {"excludeByName": {"Time": True}}}],
            links=[{"title": "Runbook", "url": "https://docs.example/runbooks#book"}],
        ),
        panel("text", "text", x=12, y=25, options={"content": "# Hello"}, targets=[]),
        panel("logs", "logs", y=33, datasource={"type": "loki", "uid": "loki"}),
    ],
}
SLUGS = ("latency", "orders", "risk", "limits", "more", "queue", "shared", "book", "text", "logs")


@dataclass
class Dashboard:
    """What a module of a bot has in DASHBOARDS."""

    board: dict[str, Any] = field(default_factory=lambda: copy.deepcopy(BOARD))
    folder: str = "Trading"

    @property
    def uid(self) -> str:
        return str(self.board["uid"])

    @property
    def title(self) -> str:
        return str(self.board["title"])

    def render(self) -> dict[str, Any]:
        return copy.deepcopy(self.board)

    def slugs(self) -> dict[int, str]:
        return {panel_id(slug): slug for slug in SLUGS}

    def at(self, slug: str) -> dict[str, Any]:
        return at(self.board, slug)


def at(board: dict[str, Any], slug: str) -> dict[str, Any]:
    """The panel with this slug, wherever it is."""
    panels: list[dict[str, Any]] = board["panels"]
    panels = [*panels, *(inner for row in panels for inner in row.get("panels", []))]
    return next(each for each in panels if each["id"] == panel_id(slug))


RULES: list[dict[str, Any]] = [
    {
        "orgId": 1,
        "name": "venues",
        "folder": "Trading",
        "interval": "1m",
        "rules": [
            {
                "uid": "venue-silent",
                "title": "VenueSilent",
                "condition": "C",
                "for": "5m",
                "noDataState": "NoData",
                "execErrState": "Error",
                "labels": {"severity": "critical"},
                "annotations": {
                    "summary": "{{ $labels.venue }} is silent",
                    "__dashboardUid__": "bot",
                    "__panelId__": "1",
                },
                "data": [
                    {
                        "refId": "A",
                        "datasourceUid": "prometheus",
                        "relativeTimeRange": {"from": 600, "to": 0},
                        "model": {"refId": "A", "expr": "age_seconds > 5", "instant": True},
                    },
                    {
                        "refId": "C",
                        "datasourceUid": "__expr__",
                        "model": {
                            "type": "threshold",
                            "expression": "A",
                            "conditions": [{"evaluator": {"type": "gt", "params": [0]}}],
                        },
                    },
                ],
            }
        ],
    }
]


def coded(*dashboards: Dashboard, rules: list[dict[str, Any]] | None = None) -> Code:
    """What the code says; a file for each group of rules."""
    import yaml

    files = {
        f"alerting/rules-{group['name']}.yaml": yaml.safe_dump({"apiVersion": 1, "groups": [group]})
        for group in rules or []
    }
    return of(dashboards or [Dashboard()], files)


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two dashboards are one, but for the number of the format."""
    return canonical.canonical({**one, "schemaVersion": 0}) == canonical.canonical({**other, "schemaVersion": 0})
