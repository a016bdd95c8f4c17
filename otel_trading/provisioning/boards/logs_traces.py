"""What bots say, and where the time of their work goes; from one to the other and back."""

from __future__ import annotations

from otel_trading.provisioning.boards import terms
from otel_trading.provisioning.boards.asked import BOTS
from otel_trading.provisioning.boards.terms import BARS, NEVER_BELOW_ZERO
from otel_trading.provisioning.colours import BAD, WARNING
from otel_trading.provisioning.dashboard import Dashboard
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import logs, stat, timeseries, traces
from otel_trading.provisioning.variables import SEARCH, STANDARD

_LINES = '{service_name=~"$service"}'
_FAILED = 'detected_level=~"error|critical|fatal"'
_CALLS = "traces_span_metrics_calls_total"
_TIMES = f"rate(traces_span_metrics_duration_seconds{{{BOTS}}}[$__rate_interval])"
_ERRORS = f'sum (rate({_CALLS}{{{BOTS}, status_code="STATUS_CODE_ERROR"}}[$__rate_interval]))'
_ALL = f"sum (rate({_CALLS}{{{BOTS}}}[$__rate_interval]))"


def _logs(expr: str, legend: str = "") -> Query:
    return Query(expr, legend, source="loki")


_NOW = (
    stat(
        "Log lines",
        _logs(f"sum(rate({_LINES} [$__auto]))"),
        slug="log-rate",
        description="Log lines of the service, a second.",
        unit="cps",
        width=6,
        base="blue",
    ),
    stat(
        "Lines at error",
        _logs(f"sum(rate({_LINES} | {_FAILED} [$__auto]))"),
        slug="error-rate",
        description="Lines that say that something went wrong, a second.",
        unit="cps",
        width=6,
        thresholds=(Threshold(1e-9, WARNING), Threshold(1, BAD)),
        defaults=terms.NOTHING,
        links=[to_runbook("ErrorLogBurst")],
    ),
    stat(
        "Spans",
        _ALL,
        slug="span-rate",
        description="Spans of the traces that were kept, a second.",
        unit="cps",
        width=6,
        base="blue",
    ),
    stat(
        "Spans that failed",
        terms.share(_ERRORS, _ALL),
        slug="span-error-ratio",
        description="Share of the spans that failed; traces with failures are kept first.",
        unit="percentunit",
        width=6,
        thresholds=(Threshold(0.05, WARNING), Threshold(0.5, BAD)),
        defaults=terms.NOTHING,
    ),
)

_LOGS = Row(
    "Logs",
    (
        timeseries(
            "Lines by level",
            _logs(f'sum by (detected_level) (count_over_time({_LINES} |~ "$search" [$__auto]))', "{{detected_level}}"),
            slug="log-volume",
            stacked=True,
            description="Log lines by how bad they are.",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
            width=24,
            height=5,
        ),
        logs(
            "Warnings and errors",
            f'{_LINES} | detected_level=~"warn|warning|error|critical|fatal"',
            slug="error-log",
            description="What went wrong, or may. A line with a trace id opens its trace.",
            width=12,
            height=12,
            links=[to_runbook("ErrorLogBurst")],
        ),
        logs(
            "All lines",
            f'{_LINES} |~ "$search"',
            slug="log-lines",
            description="All lines of the service that hold the text above. A line with a trace id opens its trace.",
            width=12,
            height=12,
        ),
    ),
)

_SPANS = Row(
    "Traces",
    (
        timeseries(
            "Spans, p95",
            Query(f"histogram_quantile(0.95, sum by (span_name) ({_TIMES}))", "{{span_name}}", exemplars=True),
            slug="span-latency",
            description="How long spans of kept traces took, 95th percentile. A diamond opens its trace.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Spans by name",
            Query(f"sum by (span_name) (rate({_CALLS}{{{BOTS}}}[$__rate_interval]))", "{{span_name}}"),
            slug="span-throughput",
            description="Spans a second, of the traces that were kept.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Spans that failed, by name",
            Query(
                f'60 * sum by (span_name, error_type) (rate({_CALLS}{{{BOTS}, status_code="STATUS_CODE_ERROR"}}'
                "[$__rate_interval]))",
                "{{span_name}} {{error_type}}",
            ),
            slug="span-errors",
            description="Spans that failed, a minute.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
        ),
        traces(
            "Trades",
            operation="tick_to_trade",
            slug="trade-traces",
            description="The newest traces from tick to profit; a click opens one, and its spans open their log lines.",
            width=12,
        ),
        traces(
            "Failed",
            tags="error=true",
            slug="kept-traces",
            description="The newest traces in which something failed.",
            width=12,
        ),
        traces(
            "Over budget",
            operation="tick_to_trade",
            tags="trading.trace.kept=over_budget",
            slug="slowest-spans",
            description="The newest trades that took longer than their budget.",
            width=12,
        ),
        traces(
            "All traces",
            slug="recent-traces",
            description="The newest traces of the service.",
            width=12,
        ),
    ),
)

BOARD = Dashboard(
    "Logs and traces",
    uid="otel-trading-logs-traces",
    description="What did the bot say, what was it doing, and how do I get from one to the other?",
    tags=("otel-trading", "logs"),
    variables=(*STANDARD, SEARCH),
    panels=(*_NOW, _LOGS, _SPANS),
)
