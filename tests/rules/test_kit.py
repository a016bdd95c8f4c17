"""The kit's own rules: complete, documented, and about metrics that exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_trading.provisioning.boards import BOARDS
from otel_trading.provisioning.rules.kit import RULES
from otel_trading.trading.conventions import INSTRUMENTS, prometheus_name
from tests.rules.names import OTHERS, metrics_of

if TYPE_CHECKING:
    from otel_trading.provisioning import Rule

ALERTS: dict[str, Rule] = {rule.name: rule for group in RULES for rule in group.alerts}
RECORDINGS = {rule.name: rule for group in RULES for rule in group.recordings}
RUNBOOKS = Path(__file__).parents[2] / "docs" / "runbooks"

REQUIRED = {
    "001 service_down": "ServiceDown",
    "001 data_corruption": "DataCorruption",
    "001 schema_validation_errors in logs": "SchemaValidationFailed",
    "001 position_breach": "PositionBreach",
    "001 loss_limit_breach": "LossLimitBreach",
    "001 high_latency": "FeedLatencyHigh",
    "001 approaching_limits": "ApproachingLimits",
    "001 low_fill_rate": "LowFillRate",
    "001 stale_data": "MarketDataStale",
    "001 stale_data, escalated": "MarketDataFrozen",
    "001 new_opportunities": "NewOpportunities",
    "001 market_changes": "MarketChanges",
    "001 performance_milestones": "PerformanceMilestone",
    "001 order_response_time": "OrderAckSlow",
    "001 websocket_reconnections": "VenueReconnects",
    "001 memory above 1000 MB": "MemoryHigh",
    "001 file descriptors above 500": "FileDescriptorsHigh",
    "001 cpu": "CpuHigh",
    "001 disk": "DiskSpaceLow",
    "001 critical log lines": "CriticalLogLine",
    "001 recording": "RecorderLosesRecords",
    "000 ConnectionDown": "VenueDown",
    "000 HighLatency": "VenueRequestsSlow",
    "000 HighErrorRate": "VenueErrorRateHigh",
    "000 LowDiskSpace": "DiskAlmostFull",
    "003 circuit breaker open": "CircuitBreakerOpen",
    "003 trading halted": "TradingHalted",
    "003 emergency stop": "EmergencyStopEngaged",
    "003 emergency stop within time": "EmergencyStopIncomplete",
    "003 success rate": "TradeFailureRateHigh",
    "003 trade execution seconds": "TradeSlow",
    "003 slippage": "SlippageHigh",
    "003 loop below 100 ms": "TickToTradeSlow",
    "003 value at risk": "ValueAtRiskHigh",
    "003 correlated exposure": "LimitBreach",
    "003 strategy panic": "StrategyFailed",
    "003 large execution": "LargeExecution",
    "003 trades on record within 1 s": "DatabaseSlow",
    "003 alerts are delivered": "AlertsNotDelivered",
    "004 CandleProcessingLatencyHigh": "CandleProcessingLatencyHigh",
    "004 signal generation within 10 ms": "SignalGenerationLatencyHigh",
    "004 OrderExecutionLatencyCritical": "OrderExecutionLatencyCritical",
    "004 QueueBacklogHigh": "QueueBacklogHigh",
    "004 SLA violations": "StageBudgetMissed",
    "004 GC pause time": "GcPausesLong",
    "004 sampling": "TelemetrySampled",
    "004 ring buffer overwritten": "TelemetryBufferFull",
    "field: ghost fills": "SettlementFailed",
    "field: silent freezes": "MarketDataFrozen",
    "field: event loop frozen by a synchronous call": "EventLoopStalled",
    "field: reconciliation drift": "PositionDrift",
    "field: clocks apart": "ClockOffsetHigh",
    "dead man's switch": "Watchdog",
    "the bot is gone": "BotGone",
    "stack: a component is down": "StackComponentDown",
    "stack: lost by the Collector": "TelemetryRefusedByBackend",
    "stack: a queue fills": "TelemetryQueueFilling",
    "slo: acknowledgements": "OrderAckAvailabilityBurnFast",
    "slo: their latency": "OrderAckLatencyBurnFast",
    "slo: freshness": "FeedFreshnessBurnFast",
    "slo: completeness": "DataCompletenessBurnFast",
    "slo: budgets": "StageBudgetComplianceBurnFast",
}
"""What was asked for, and the alert that it became."""

SEVERITIES = {
    "critical": {"ServiceDown", "DataCorruption", "PositionBreach", "LossLimitBreach", "OrderExecutionLatencyCritical"},
    "warning": {
        *("FeedLatencyHigh", "ApproachingLimits", "LowFillRate", "MarketDataStale", "CandleProcessingLatencyHigh"),
        "QueueBacklogHigh",
    },
    "info": {"NewOpportunities", "MarketChanges", "PerformanceMilestone"},
}


@pytest.mark.parametrize("asked", REQUIRED)
def test_everything_that_was_asked_for_is_there(asked: str) -> None:
    """Under the name of the table."""
    assert REQUIRED[asked] in ALERTS


def test_severities_are_those_that_were_asked_for() -> None:
    """Critical, warning and info of the requirements."""
    for severity, names in SEVERITIES.items():
        assert {ALERTS[name].severity for name in names} == {severity}


def test_every_name_occurs_once() -> None:
    """Over all groups."""
    names = [rule.name for group in RULES for rule in group.alerts]
    assert len(names) == len(set(names)) > 90
    groups = [group.name for group in RULES]
    assert len(groups) == len(set(groups))


@pytest.mark.parametrize("name", [*(name for name, rule in ALERTS.items() if not rule.loki), *RECORDINGS])
def test_every_metric_exists(name: str) -> None:
    """In the registry of instruments, among the recordings, or in the table of others' metrics."""
    rule = ALERTS.get(name) or RECORDINGS[name]
    known = {prometheus_name(instrument) for instrument in INSTRUMENTS}
    histograms = {prometheus_name(i.name) for i in INSTRUMENTS.values() if i.kind.endswith("histogram")}
    known |= {f"{each}_{part}" for each in histograms for part in ("count", "bucket")}
    assert metrics_of(rule.expr) - known - set(RECORDINGS) - OTHERS == set()


def test_the_names_of_metrics_are_found() -> None:
    """A mistyped one would be, too."""
    expr = 'sum by (job) (rate(a_total{x="b_total"}[5m])) / on (job) group_left () (c > 0) unless d offset 5m'
    assert metrics_of(expr) == {"a_total", "c", "d"}
    assert metrics_of("sum by (x) (arb_actual_profit_total)") == {"arb_actual_profit_total"}


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_has_a_page_that_helps(name: str) -> None:
    """What it means, why it matters, where to look, what to do."""
    page = (RUNBOOKS / f"{name}.md").read_text("utf-8")
    assert page.startswith(f"# {name}\n")
    for heading in ("Meaning", "Why it matters", "Look at", "Do"):
        assert re.search(rf"^\*\*{heading}\.\*\* \S.{{20,}}", page, re.MULTILINE), heading


def test_no_page_is_left_over() -> None:
    """Every page belongs to an alert."""
    assert {page.stem for page in RUNBOOKS.glob("*.md")} == set(ALERTS)


def test_no_two_pages_say_the_same() -> None:
    """Each is about its own alert."""
    said = [line for page in RUNBOOKS.glob("*.md") for line in page.read_text("utf-8").splitlines()[2:] if line]
    twice = {line for line in said if said.count(line) > 1}
    assert twice == set()


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_leads_to_a_panel(name: str) -> None:
    """One that is on its dashboard."""
    rule = ALERTS[name]
    assert rule.dashboard.startswith("otel-trading-")
    assert rule.panel
    panels = {board.uid: {panel.slug for panel in board} for board in BOARDS}
    assert rule.panel in panels[rule.dashboard]


@pytest.mark.parametrize("name", [name for name, rule in ALERTS.items() if not rule.loki])
def test_every_alert_is_put_to_the_test(name: str) -> None:
    """It is seen firing; and not firing, or over, unless it always fires."""
    rule = ALERTS[name]
    assert any(case.fires for case in rule.cases)
    assert rule.always or any(case.resolved for case in rule.cases)
    assert rule.always or any(case.quiet for case in rule.cases) or name.endswith("BurnSlow")


@pytest.mark.parametrize("name", [name for name, rule in ALERTS.items() if "_bucket" in rule.expr])
def test_expressions_over_histograms_ask_for_both_kinds(name: str) -> None:
    """Native ones and explicit buckets, and a comparison that is with both."""
    expr = ALERTS[name].expr
    assert expr.count("histogram_quantile") == 2
    assert re.match(r"\(histogram_quantile\(.*\) or histogram_quantile\(.*\)\) > ", expr)
