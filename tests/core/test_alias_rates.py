"""Aliases that are rates or ratios: of a window, not of the whole run."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_trading.trading.alias_table import ALIASES
from otel_trading.trading.aliases import apply
from otel_trading.trading.rates import History, Totals

SECOND = 1_000_000_000
FILLED = {"trading.execution.type": "trade", "trading.order.status": "filled"}


def exported(at: float, orders: int, filled: int, temporality: AggregationTemporality, start: float = 0) -> MetricsData:
    """Two counters as they are at a moment, in seconds since the start."""

    def metric(name: str, value: int, attributes: dict[str, Any]) -> Metric:
        point = NumberDataPoint(attributes, int(start * SECOND), int(at * SECOND), value)
        return Metric(name, "", "", Sum([point], temporality, is_monotonic=True))

    metrics = [
        metric("trading.order.submissions", orders, {}),
        metric("trading.execution.reports", filled, FILLED),
        metric("trading.market_data.messages", orders, {"trading.market_data.type": "ticker"}),
    ]
    scope = ScopeMetrics(InstrumentationScope("bot"), metrics, "")
    return MetricsData([ResourceMetrics(Resource({}), [scope], "")])


def values(data: MetricsData) -> dict[str, float]:
    scopes = data.resource_metrics[0].scope_metrics
    aliases = [metric for scope in scopes if scope.scope.name != "bot" for metric in scope.metrics]
    points: list[tuple[str, Any]] = [(metric.name, metric.data.data_points[0]) for metric in aliases]
    return {name: point.value for name, point in points if name in {"fill_rate", "prices_per_second"}}


CUMULATIVE, DELTA = AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA


def test_a_ratio_is_that_of_the_last_hour() -> None:
    """A bad hour shows at once and is forgotten after an hour; what has no orders has no fill rate."""
    history = History()
    seen = {}
    for minute in range(1, 241):
        orders = min(minute, 180) * 10
        filled = min(minute, 60) * 10 + max(0, min(minute, 180) - 120) * 5
        seen[minute] = values(apply(exported(minute * 60, orders, filled, CUMULATIVE), history=history)).get(
            "fill_rate"
        )
    assert seen[60] == 1.0
    assert seen[120] == pytest.approx(0.0, abs=0.02)
    assert seen[180] == pytest.approx(0.5, abs=0.02)
    assert seen[239] == pytest.approx(0.5, abs=0.05) or seen[239] is None
    assert seen[240] is None


def test_a_rate_is_that_of_the_last_minute() -> None:
    """Ten a second for a while, then nothing: after a minute the rate is nothing."""
    history = History()
    rates = [
        values(apply(exported(second, min(second, 100) * 10, 0, CUMULATIVE), history=history))["prices_per_second"]
        for second in range(1, 200)
    ]
    assert rates[:100] == [pytest.approx(10)] * 100
    assert rates[-1] == 0


def test_without_a_history_and_for_differences_it_is_that_of_the_points() -> None:
    """Since the start where nothing is remembered; of a reader of differences since the last time."""
    assert values(apply(exported(100, 50, 20, CUMULATIVE))) == {"fill_rate": 0.4, "prices_per_second": 0.5}
    history = History()
    for start in (0, 10, 20):
        data = apply(exported(start + 10, 50, 20, DELTA, start), history=history)
        assert values(data) == {"fill_rate": 0.4, "prices_per_second": 5.0}


def test_totals_that_begin_anew_forget_what_was() -> None:
    """A restart of the totals is no negative rate."""
    history = History()
    apply(exported(10, 100, 100, CUMULATIVE), history=history)
    assert values(apply(exported(20, 10, 5, CUMULATIVE, start=10), history=history))["fill_rate"] == 0.5


def test_the_memory_is_bounded() -> None:
    """However many readers ask however often, and whatever the labels."""
    history = History()
    for second in range(10_000):
        history.since("one", 60, Totals(0, 0, 0), Totals(second * SECOND // 10, second, second))
    assert len(history._series["one"]) <= 62
    for number in range(3_000):
        history.since(number, 60, Totals(0, 0, 0), Totals(SECOND, 1, 1))
    assert len(history._series) == 2_000


def test_such_aliases_say_their_window() -> None:
    """And what the whole of a ratio is."""
    for alias in ALIASES:
        assert (alias.statistic in {"rate", "ratio"}) == (alias.window > 0)
        assert (alias.statistic == "ratio") == bool(alias.whole)
