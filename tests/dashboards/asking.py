"""What Grafana asks for a panel, asked without it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.stack.backends import Backend

if TYPE_CHECKING:
    from otel_trading.stack import Stack

STEP = 5


@dataclass(frozen=True)
class Bot:
    """One bot, the Prometheus that has its metrics, and the time it ran."""

    stack: Stack
    prometheus: str
    job: str
    started: float
    ended: float

    def concrete(self, expr: str) -> str:
        """An expression with all that is chosen above a board."""
        chosen = {
            "__rate_interval": "1m",
            "__rate_interval_ms": "60000",
            "__interval": f"{STEP}s",
            "__range": f"{self.ended - self.started:.0f}s",
            "__auto": "1m",
            "job": self.job,
            "service": self.job,
            "instance": ".+",
            "search": "",
        }
        known = "|".join([*chosen, "venue", "symbol", "strategy"])
        return re.sub(rf"\$({known})\b", lambda match: chosen.get(match[1], ".*"), expr)

    def ask(self, expr: str, *, source: str = "prometheus") -> list[dict[str, Any]]:
        """The series of an expression, or the streams of log lines; without points that say nothing."""
        api = "/api/v1/query_range" if source == "prometheus" else "/loki/api/v1/query_range"
        url = self.prometheus if source == "prometheus" else self.stack.urls["loki"]
        window = {"start": self.started, "end": self.ended + STEP, "step": STEP}
        found = Backend(url).get(api, {"query": self.concrete(expr), **window})["data"]
        return [series for series in found["result"] if _says_something(series)]

    def traces(self, target: dict[str, Any]) -> list[Any]:
        """The traces that a search finds."""
        wanted = {"service": self.concrete(target["service"]), "limit": target["limit"]}
        wanted |= {name: target[name] for name in ("operation",) if name in target}
        if tags := target.get("tags"):
            wanted["tags"] = "{" + ",".join(f'"{k}":"{v}"' for k, v in (each.split("=") for each in tags.split())) + "}"
        return list(Backend(self.stack.urls["jaeger_ui"]).get("/api/traces", wanted)["data"])

    def answers(self, target: dict[str, Any]) -> list[Any]:
        """What a query of a panel brings."""
        source = target["datasource"]["type"]
        return self.traces(target) if source == "jaeger" else self.ask(target["expr"], source=source)


def _says_something(series: dict[str, Any]) -> bool:
    if series.get("histograms"):
        return any(float(each["count"]) > 0 for _, each in series["histograms"])
    return any(value != "NaN" for _, value in series.get("values", ()))
