"""Asking the backends over their HTTP APIs whether something is there."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from otel_trading.extras import require

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUEST_SECONDS = 3.0
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Backend:
    """A service with an HTTP API at ``url``."""

    url: str
    name = ""
    ready_path = "/"

    def why_unreachable(self) -> str:
        """Return why the service does not answer, or nothing if it does and calls itself ready."""
        requests = require("requests", extra="cli")
        try:
            answer = requests.get(self.url + self.ready_path, timeout=REQUEST_SECONDS)
        except requests.ConnectionError:
            return "connection refused"
        except requests.RequestException as error:
            return str(error)
        return "" if answer.ok else f"HTTP {answer.status_code}: {answer.text.strip()[:100]}"

    def has_page(self, path: str, *, unless: str = "") -> bool:
        """Tell whether there is something for people at ``path``.

        A program built from its Go module alone has an API and no pages: those are built from other sources.
        """
        requests = require("requests", extra="cli")
        try:
            answer = requests.get(self.url + path, timeout=REQUEST_SECONDS)
        except requests.RequestException:
            return False
        return bool(answer.ok) and not (unless and unless in answer.text)

    def get(self, path: str, parameters: Mapping[str, str | float] | None = None) -> Any:  # noqa: ANN401 - JSON
        """Return the JSON at ``path``.

        Raises:
            requests.RequestException: no answer, or one that is not a success.

        """
        requests = require("requests", extra="cli")
        answer = requests.get(self.url + path, params=parameters, timeout=REQUEST_SECONDS)
        answer.raise_for_status()
        return answer.json()


@dataclass(frozen=True, slots=True)
class Prometheus(Backend):
    """Metrics: instant queries and exemplars."""

    name = "Prometheus"
    ready_path = "/-/ready"

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of a PromQL expression now: series with ``metric`` and ``value`` or ``histogram``."""
        return list(self.get("/api/v1/query", {"query": expression})["data"]["result"])

    def exemplars(self, selector: str, *, trace_id: str = "") -> list[dict[str, Any]]:
        """Return the exemplars of the last hour, those of one trace if ``trace_id`` is given."""
        now = time.time()
        found = self.get("/api/v1/query_exemplars", {"query": selector, "start": now - HOUR, "end": now + HOUR})
        exemplars = [exemplar for series in found["data"] for exemplar in series["exemplars"]]
        return [e for e in exemplars if not trace_id or e["labels"].get("trace_id") == trace_id]

    def link(self, expression: str) -> str:
        """Return the page that shows an expression, or its answer from the API where Prometheus has no pages."""
        if self.has_page("/query"):
            return f"{self.url}/query?{urlencode({'g0.expr': expression, 'g0.tab': 'graph', 'g0.range_input': '15m'})}"
        return f"{self.url}/api/v1/query?{urlencode({'query': expression})}"


@dataclass(frozen=True, slots=True)
class Jaeger(Backend):
    """Traces by id."""

    name = "Jaeger"
    ready_path = "/api/services"

    def spans(self, trace_id: str) -> list[dict[str, Any]]:
        """Return the spans of a trace, with ``operationName`` and ``tags``; none if it is not there."""
        requests = require("requests", extra="cli")
        try:
            found = self.get(f"/api/traces/{trace_id}")
        except requests.HTTPError as error:
            if error.response is not None and error.response.status_code == requests.codes.not_found:
                return []
            raise
        return [span for trace in found["data"] or [] for span in trace["spans"]]

    def link(self, trace_id: str) -> str:
        """Return the page of a trace, or the trace from the API where Jaeger has no pages."""
        page = (
            f"/trace/{trace_id}"
            if self.has_page("/", unless="This is not the Jaeger UI")
            else f"/api/traces/{trace_id}"
        )
        return self.url + page


@dataclass(frozen=True, slots=True)
class Loki(Backend):
    """Log lines by LogQL."""

    name = "Loki"
    ready_path = "/ready"

    def lines(self, query: str) -> list[tuple[str, dict[str, str]]]:
        """Return the lines of the last hour with their labels and structured metadata, oldest first."""
        now = time.time()
        window = {"start": f"{now - HOUR:.0f}000000000", "end": f"{now + HOUR:.0f}000000000"}
        parameters = {"query": query, "limit": "5000", "direction": "forward", **window}
        streams = self.get("/loki/api/v1/query_range", parameters)["data"]["result"]
        return [(value[1], stream["stream"]) for stream in streams for value in stream["values"]]

    def lines_of_trace(self, trace_id: str) -> list[tuple[str, dict[str, str]]]:
        """Return the lines that were written inside a trace."""
        return self.lines(self.query_of_trace(trace_id))

    @staticmethod
    def query_of_trace(trace_id: str) -> str:
        """Return the LogQL that finds a trace's lines."""
        return f'{{service_name=~".+"}} | trace_id="{trace_id}"'

    def link(self, query: str) -> str:
        """Return the API address of a query; Loki has no page of its own."""
        return f"{self.url}/loki/api/v1/query_range?{urlencode({'query': query, 'since': '1h'})}"


@dataclass(frozen=True, slots=True)
class Grafana(Backend):
    """Dashboards, and the page for log queries."""

    name = "Grafana"
    ready_path = "/api/health"

    def explore_link(self, query: str, *, datasource: str) -> str:
        """Return the Explore page with a query: an expression, or the id of a trace for ``jaeger``."""
        source = {"uid": datasource, "type": datasource}
        key = "query" if datasource == "jaeger" else "expr"
        pane = {
            "datasource": datasource,
            "queries": [{"refId": "A", key: query, "datasource": source}],
            "range": {"from": "now-1h", "to": "now"},
        }
        return f"{self.url}/explore?schemaVersion=1&panes={quote(json.dumps({'a': pane}, separators=(',', ':')))}"


@dataclass(frozen=True, slots=True)
class CollectorMetrics(Backend):
    """What the Collector says about itself on its metrics port."""

    name = "Collector"
    ready_path = "/metrics"

    def by_exporter(self) -> dict[str, dict[str, float]]:
        """Return ``queued`` and ``failed`` items of each exporter; nothing if the Collector does not tell."""
        requests = require("requests", extra="cli")
        try:
            text = requests.get(self.url + self.ready_path, timeout=REQUEST_SECONDS).text
        except requests.RequestException:
            return {}
        counts: dict[str, dict[str, float]] = {}
        for line in text.splitlines():
            match = re.match(r'otelcol_exporter_(\w+)\{.*?exporter="([^"]+)".*\} ([-+.\deE]+)$', line)
            if match is None:
                continue
            kind = "queued" if match[1] == "queue_size" else "failed" if "_failed_" in match[1] else ""
            if kind:
                numbers = counts.setdefault(match[2], {"queued": 0.0, "failed": 0.0})
                numbers[kind] += float(match[3])
        return counts
