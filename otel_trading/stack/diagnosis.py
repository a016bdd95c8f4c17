"""The doctor: sends a canary, looks for it in each backend, and says which hop lost it."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.extras import require
from otel_trading.stack.backends import Backend, CollectorMetrics, Grafana, Jaeger, Loki, Prometheus
from otel_trading.stack.canary import SERIES, send_canary
from otel_trading.stack.endpoint import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

    from otel_trading.stack.canary import Canary
    from otel_trading.stack.endpoint import Endpoint

    Connect = Callable[[], AbstractContextManager[tuple[Tracer, Meter, Logger]]]

POLL_SECONDS = 0.1
UNREACHABLE_PATIENCE_SECONDS = 3.0
START_STACK = "start it with `otel-trading stack up`"


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """The addresses of everything behind the endpoint."""

    prometheus: str
    jaeger: str
    loki: str
    grafana: str
    collector_health: str
    collector_metrics: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Whether one signal arrived: after how many seconds, where to see it, and if not, which hop lost it."""

    signal: str
    backend: str
    found: bool
    seconds: float | None
    link: str
    problem: Problem | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What the doctor found; ``healthy`` if every signal arrived."""

    endpoint: str
    protocol: str
    run_id: str
    trace_id: str
    findings: tuple[Finding, ...]

    @property
    def healthy(self) -> bool:
        """Whether every signal was found in its backend."""
        return all(finding.found for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"healthy": self.healthy, **asdict(self)}


@dataclass(frozen=True, slots=True)
class _Search:
    signal: str
    backend: Backend
    exporter: str
    link: str
    is_there: Callable[[], bool]


def diagnose(
    endpoint: Endpoint,
    places: Places,
    *,
    connect: Connect,
    obstacle: Problem | None = None,
    run_id: str,
    timeout: float,
) -> Report:
    """Send one trace, one histogram value with exemplar and one log line, and find each by its backend's API.

    Args:
        endpoint: where the bot sends to.
        places: where the backends are.
        connect: gives what the bot reports with, and delivers all of it when it is left.
        obstacle: what is already known to keep the bot from sending.
        run_id: names this run on everything that is sent.
        timeout: seconds to wait for the slowest backend.

    """
    problem = obstacle or endpoint.find_problem()
    if problem is not None:
        searches = _searches(None, places)
        findings = tuple(_finding(search, None, problem, link="") for search in searches)
        return Report(endpoint=endpoint.url, protocol=endpoint.protocol, run_id=run_id, trace_id="", findings=findings)

    collector = CollectorMetrics(places.collector_metrics)
    before = collector.by_exporter()
    with connect() as (tracer, meter, logger):
        canary = send_canary(tracer, meter, logger, run_id)
    searches = _searches(canary, places)
    found = _find(searches, timeout)
    after = collector.by_exporter() if len(found) < len(searches) else {}
    findings = tuple(
        _finding(search, found.get(search.signal), None, link=search.link)
        if search.signal in found
        else _finding(search, None, _why_missing(search, places, before, after), link=search.link)
        for search in searches
    )
    return Report(
        endpoint=endpoint.url, protocol=endpoint.protocol, run_id=run_id, trace_id=canary.trace_id, findings=findings
    )


def _searches(canary: Canary | None, places: Places) -> tuple[_Search, ...]:
    trace_id = canary.trace_id if canary else ""
    jaeger, prometheus, loki = Jaeger(places.jaeger), Prometheus(places.prometheus), Loki(places.loki)
    grafana = Grafana(places.grafana)
    has_grafana = not grafana.why_unreachable()

    def link(backend: Jaeger | Prometheus | Loki, query: str) -> str:
        datasource = backend.name.lower()
        return grafana.explore_link(query, datasource=datasource) if has_grafana else backend.link(query)

    average, lines = f"histogram_avg({SERIES})", loki.query_of_trace(trace_id)
    return (
        _Search("trace", jaeger, "otlp_grpc/jaeger", link(jaeger, trace_id), lambda: bool(jaeger.spans(trace_id))),
        _Search(
            "metric",
            prometheus,
            "otlp_http/prometheus",
            link(prometheus, average),
            lambda: bool(prometheus.exemplars(SERIES, trace_id=trace_id)),
        ),
        _Search("log", loki, "otlp_http/loki", link(loki, lines), lambda: bool(loki.lines(lines))),
    )


def _find(searches: tuple[_Search, ...], timeout: float) -> dict[str, float]:
    requests = require("requests", extra="cli")
    began = time.monotonic()
    found: dict[str, float] = {}
    while True:
        reachable = False
        for search in searches:
            if search.signal in found:
                continue
            try:
                if search.is_there():
                    found[search.signal] = time.monotonic() - began
                reachable = True
            except requests.ConnectionError:
                continue
            except requests.RequestException:
                reachable = True
        waited = time.monotonic() - began
        patience = timeout if reachable else min(timeout, UNREACHABLE_PATIENCE_SECONDS)
        if len(found) == len(searches) or waited >= patience:
            return found
        time.sleep(POLL_SECONDS)


def _why_missing(
    search: _Search,
    places: Places,
    before: Mapping[str, Mapping[str, float]],
    after: Mapping[str, Mapping[str, float]],
) -> Problem:
    name, hop = search.backend.name, f"Collector → {search.backend.name}"
    unhealthy = Backend(places.collector_health).why_unreachable()
    counts = after.get(search.exporter, {})
    queued = counts.get("queued", 0.0)
    failed = counts.get("failed", 0.0) - before.get(search.exporter, {}).get("failed", 0.0)
    unreachable = search.backend.why_unreachable()
    if unreachable:
        kept = f"; the Collector keeps {queued:.0f} items for it and delivers them then" if queued else ""
        return Problem(name, f"{name} does not answer at {search.backend.url} ({unreachable})", START_STACK + kept)
    if failed > 0:
        return Problem(
            hop,
            f"{name} refused {failed:.0f} items for good",
            f"the reason is in the log: `otel-trading stack logs collector`, lines with {search.exporter}",
        )
    if queued > 0:
        return Problem(
            hop,
            f"{queued:.0f} items wait in the Collector's queue, {name} does not take them",
            "check the exporter's address in the Collector: `otel-trading stack logs collector`; or raise --timeout",
        )
    if unhealthy and after:
        return Problem(
            "Collector", f"the Collector is not healthy ({unhealthy})", "`otel-trading stack logs collector`"
        )
    if search.signal == "metric" and _has_series(search.backend):
        return Problem(
            name,
            "Prometheus has the histogram but not its exemplar",
            "start Prometheus with --enable-feature=exemplar-storage",
        )
    return Problem(
        hop,
        f"the endpoint took the {search.signal}, {name} answers, and it is not there",
        f"make sure that this endpoint's Collector exports to {search.backend.url} (pipeline {search.signal}s), "
        "or raise --timeout",
    )


def _has_series(backend: Backend) -> bool:
    return isinstance(backend, Prometheus) and bool(backend.query(SERIES))


def _finding(search: _Search, seconds: float | None, problem: Problem | None, *, link: str) -> Finding:
    return Finding(
        signal=search.signal,
        backend=search.backend.name,
        found=seconds is not None,
        seconds=seconds,
        link=link,
        problem=problem,
    )
