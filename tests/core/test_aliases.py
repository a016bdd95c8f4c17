from __future__ import annotations

import dataclasses
import json
import math
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, MetricsData
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, ExponentialBucketHistogramAggregation
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from otel_trading.trading.alias_table import ALIASES, NOT_ALIASED
from otel_trading.trading.aliases import Alias, apply

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Meter

EVENTS = [
    *("candle_processing", "signal_generation", "order_execution", "order_fill"),
    *("event_bus_publish", "event_bus_handle", "gc_pause"),
]

NAMES = {
    "000": "messages_received messages_sent orders_placed orders_filled latency_histogram",
    "001 metrics": """
        trades_total pnl_cents_total edge_captured_cents feed_latency_seconds order_response_seconds active_positions
        LATENCY_HISTOGRAM""",
    "001 key figures": """
        daily_pnl total_trades average_edge_captured fill_rate average_holding_time position_utilization
        feed_latency_p50 feed_latency_p95 order_response_time book_update_frequency websocket_reconnections
        memory_usage_mb cpu_usage_percent""",
    "001 alert conditions": """
        service_status schema_validation_errors position_exposure max_limit daily_loss max_daily_loss
        feed_latency_p95 position_utilization fill_rate time_since_last_update new_arbitrage_edge
        spec_validation_changed daily_pnl milestone_threshold""",
    "001 resources": """
        cpu_percent memory_usage_mb disk_usage_percent network_connections open_files load_average
        memory_rss_mb memory_vms_mb num_threads num_fds num_connections""",
    "001 records": """
        edge_cents net_profit_cents execution_time_ms latency_ms p50_ms p95_ms staleness_seconds
        realized_edge_cents fees_cents slippage_cents""",
    "002": """
        market_maker_pnl_realized_total market_maker_pnl_unrealized market_maker_orders_active
        market_maker_orders_placed_total market_maker_orders_filled_total market_maker_volume_total
        market_maker_position_size market_maker_latency_exchange_ms market_maker_latency_tick_to_trade_ms""",
    "003": """
        arb_opportunities_detected_total arb_trades_attempted_total arb_trades_successful_total
        arb_trades_failed_total arb_current_balance_usd arb_active_positions arb_circuit_breaker_state
        arb_opportunity_profit_bps arb_trade_execution_seconds arb_price_fetch_seconds arb_slippage_bps
        arb_actual_profit_total avg_fetch_latency p99_fetch_latency prices_per_second cache_hit_rate
        gas_used priority_fee""",
    "004": f"""
        {" ".join(f"{event}_latency_ns {event}_count" for event in EVENTS)}
        queue_backlog event_bus_queue_depth sampling_rate p50_ns p95_ns p99_ns p999_ns""",
}
"""Every name of a metric, or of what could be one, in the five documents."""


def collect(
    record: Callable[[Meter], None],
    temporality: AggregationTemporality = AggregationTemporality.CUMULATIVE,
    histograms: Any = None,
) -> MetricsData:
    """What a reader of the SDK collects after these recordings."""
    reader = InMemoryMetricReader(
        preferred_temporality={Counter: temporality, Histogram: temporality},
        preferred_aggregation={Histogram: histograms or ExponentialBucketHistogramAggregation(max_size=4096)},
    )
    record(MeterProvider(metric_readers=[reader], shutdown_on_exit=False).get_meter("bot"))
    data = reader.get_metrics_data()
    assert data is not None
    return data


def metric(data: MetricsData, name: str) -> Any:
    """The one metric of this name."""
    (found,) = [
        each
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for each in scope.metrics
        if each.name == name
    ]
    return found


def names(data: MetricsData) -> set[str]:
    return {
        each.name for resource in data.resource_metrics for scope in resource.scope_metrics for each in scope.metrics
    }


def points(data: MetricsData, name: str) -> dict[str, Any]:
    """The points' values by their labels."""
    return {json.dumps(dict(point.attributes)): point.value for point in metric(data, name).data.data_points}


def test_every_name_of_the_documents_is_an_alias_or_has_a_reason() -> None:
    """Nothing the documents name is forgotten, nothing else is in the table, and nothing is in both halves."""
    documented = {name for listed in NAMES.values() for name in listed.split()}
    aliased = {alias.name for alias in ALIASES}
    assert aliased | set(NOT_ALIASED) == documented
    assert not aliased & set(NOT_ALIASED)
    assert all(NOT_ALIASED.values())


def test_the_table_is_plain_data() -> None:
    """An alias holds only strings, numbers and tuples of them, so that other code may take it over as it is."""

    def plain(value: object) -> bool:
        return isinstance(value, (str, int, float)) or (isinstance(value, tuple) and all(map(plain, value)))

    assert all(plain(value) for alias in ALIASES for value in dataclasses.astuple(alias))
    assert pickle.loads(pickle.dumps(ALIASES)) == ALIASES  # noqa: S301 - our own


@pytest.mark.parametrize("alias", ALIASES, ids=lambda alias: alias.name)
def test_each_alias_says_what_it_needs(alias: Alias) -> None:
    """Histograms have ascending bounds, quantiles their shares, and only what ends in _total counts up."""
    assert (alias.kind == "histogram") == bool(alias.bounds)
    assert list(alias.bounds) == sorted(set(alias.bounds))
    assert (alias.statistic == "quantile") == bool(alias.quantiles)
    assert bool(alias.coded) == bool(alias.codes)
    assert alias.kind != "counter" or alias.name.endswith("_total")
    assert alias.description


def test_counters_keep_their_labels_under_the_documents_names() -> None:
    """Points that differ only in attributes the document does not know are added up."""

    def record(meter: Meter) -> None:
        placed = meter.create_counter("trading.order.submissions", "{order}")
        for venue, side in (("kraken", "buy"), ("binance", "buy"), ("binance", "sell")):
            attributes = {"trading.venue.name": venue, "trading.order.side": side}
            placed.add(2, {**attributes, "trading.instrument.symbol": "BTC/USDT", "trading.order.type": "limit"})

    data = apply(collect(record))
    assert points(data, "market_maker_orders_placed_total") == {
        '{"symbol": "BTC/USDT", "side": "buy", "type": "limit"}': 4,
        '{"symbol": "BTC/USDT", "side": "sell", "type": "limit"}': 2,
    }
    assert metric(data, "market_maker_orders_placed_total").data.is_monotonic
    assert points(data, "orders_placed") == {"{}": 6}


def test_an_attribute_selects() -> None:
    """Successes and failures come from one counter; a failure by timeout is a failure."""

    def record(meter: Meter) -> None:
        trades = meter.create_counter("trading.trade.completions", "{trade}")
        for outcome, count in (("success", 5), ("failed", 1), ("timeout", 2)):
            trades.add(count, {"trading.trade.outcome": outcome, "trading.venue.name": "kalshi"})

    data = apply(collect(record))
    assert points(data, "arb_trades_successful_total") == {"{}": 5}
    assert points(data, "arb_trades_failed_total") == {"{}": 3}
    assert points(data, "trades_total")['{"venue": "kalshi", "outcome": "timeout"}'] == 2


def test_money_in_cents_may_fall() -> None:
    """Profit and loss is converted, and is no counter although the document calls it one: it falls."""

    def record(meter: Meter) -> None:
        pnl = meter.create_up_down_counter("trading.pnl.realized", "{currency}")
        pnl.add(12.5, {"trading.venue.name": "kalshi", "trading.strategy.name": "basis"})
        pnl.add(-20.0, {"trading.venue.name": "kalshi", "trading.strategy.name": "arb"})

    data = apply(collect(record))
    assert points(data, "pnl_cents_total") == {'{"venue": "kalshi"}': -750.0}
    assert not hasattr(metric(data, "pnl_cents_total").data, "is_monotonic")


def test_a_histogram_gets_the_documents_unit_and_buckets() -> None:
    """Seconds become milliseconds in the document's buckets; count, sum, least and greatest agree."""
    seconds = [0.0004, 0.004, 0.005, 0.0051, 0.2, 30.0]

    def record(meter: Meter) -> None:
        latency = meter.create_histogram("trading.venue.request.duration", "s")
        for value in seconds:
            latency.record(value, {"trading.venue.name": "binance", "trading.operation.name": "create_order"})

    data = apply(collect(record))
    (point,) = metric(data, "market_maker_latency_exchange_ms").data.data_points
    assert dict(point.attributes) == {"exchange": "binance", "operation": "create_order"}
    assert (point.count, point.sum) == (6, pytest.approx(sum(seconds) * 1_000))
    assert (point.min, point.max) == (pytest.approx(0.4), pytest.approx(30_000))
    by_bound = dict(zip([*point.explicit_bounds, math.inf], point.bucket_counts, strict=True))
    assert {bound: count for bound, count in by_bound.items() if count} == {0.5: 1, 5: 2, 10: 1, 250: 1, math.inf: 1}


def test_explicit_histograms_are_scaled_and_rebinned() -> None:
    """From explicit buckets, bounds that both have are exact, and others are filled by share."""

    def record(meter: Meter) -> None:
        duration = meter.create_histogram("trading.trade.duration", "s")
        for value in (0.05, 0.4, 1.5, 1.6, 2.2, 2.4, 90.0):
            duration.record(value)

    bounds = ExplicitBucketHistogramAggregation([0.1, 0.5, 1.0, 3.0])
    (point,) = metric(apply(collect(record, histograms=bounds)), "arb_trade_execution_seconds").data.data_points
    assert list(point.explicit_bounds) == [0.1, 0.5, 1, 2, 5, 10, 30]
    assert list(point.bucket_counts) == [1, 1, 0, 2, 2, 0, 0, 1]


def test_buckets_never_fall_while_an_exponential_histogram_gets_coarser() -> None:
    """A bucket that falls looks like a restart to Prometheus: coarser scales only ever count more below a bound."""
    previous = [0] * 8
    reader = InMemoryMetricReader(preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation(max_size=20)})
    histogram = (
        MeterProvider([reader], shutdown_on_exit=False).get_meter("bot").create_histogram("trading.trade.duration", "s")
    )
    scales = set()
    for step in range(1, 200):
        histogram.record(0.9 + step**3 / 100_000)
        data = reader.get_metrics_data()
        assert data is not None
        (source,) = metric(data, "trading.trade.duration").data.data_points
        scales.add(source.scale)
        (point,) = metric(apply(data), "arb_trade_execution_seconds").data.data_points
        running = [sum(point.bucket_counts[: place + 1]) for place in range(8)]
        assert all(now >= before for now, before in zip(running, previous, strict=True))
        previous = running
    assert len(scales) > 5


def test_percentiles_are_gauges_labelled_as_the_alert_rules_ask() -> None:
    """Nanosecond percentiles by stage, within one percent, and the count beside them."""

    def record(meter: Meter) -> None:
        stages = meter.create_histogram("trading.stage.duration", "s")
        for step in range(1, 1_001):
            stages.record(step / 1_000, {"trading.stage.name": "candle_processing"})
        stages.record(5.0, {"trading.stage.name": "order_fill"})

    data = apply(collect(record))
    values = points(data, "candle_processing_latency_ns")
    expected = {"50": 0.5e9, "95": 0.95e9, "99": 0.99e9, "999": 0.999e9}
    assert values == {json.dumps({"quantile": q}): pytest.approx(ns, rel=0.01) for q, ns in expected.items()}
    assert points(data, "candle_processing_count") == {"{}": 1_000}
    assert points(data, "order_fill_latency_ns")['{"quantile": "50"}'] == pytest.approx(5e9)
    assert "signal_generation_count" not in names(data)


def test_a_state_becomes_the_documents_number() -> None:
    """The worst of the breakers' states, as 0, 1 or 2."""

    def record(meter: Meter) -> None:
        state = meter.create_up_down_counter("trading.circuit_breaker.state", "{breaker}")
        for breaker, active in (("trade", "closed"), ("daily", "half_open")):
            for name in ("closed", "half_open", "open"):
                attributes = {"trading.circuit_breaker.name": breaker, "trading.circuit_breaker.state": name}
                state.add(int(name == active), attributes)

    assert points(apply(collect(record)), "arb_circuit_breaker_state") == {"{}": 1}


def test_means_and_greatest_values() -> None:
    """Averages come from a histogram's sum and count, a utilization is that of the fullest limit."""

    def record(meter: Meter) -> None:
        edge = meter.create_histogram("trading.trade.edge", "{currency}")
        for value in (1.0, 2.0, 6.0):
            edge.record(value)
        utilization = meter.create_gauge("trading.risk.utilization.ratio", "1")
        for name, value in (("daily_loss", 0.2), ("turnover", 0.9)):
            utilization.set(value, {"trading.risk.limit.name": name})

    data = apply(collect(record))
    assert points(data, "average_edge_captured") == {"{}": pytest.approx(300)}
    assert points(data, "position_utilization") == {"{}": 0.9}


def test_differences_stay_differences() -> None:
    """For a reader of deltas every copy of a running total is a sum of deltas, also where it else is a gauge."""

    def record(meter: Meter) -> None:
        meter.create_counter("trading.order.submissions").add(3)
        meter.create_histogram("trading.trade.duration").record(1.0)
        meter.create_histogram("trading.stage.duration").record(1.0, {"trading.stage.name": "order_fill"})

    data = apply(collect(record, AggregationTemporality.DELTA))
    kept = ["orders_placed", "market_maker_orders_placed_total", "arb_trade_execution_seconds", "order_fill_count"]
    assert {metric(data, name).data.aggregation_temporality for name in kept} == {AggregationTemporality.DELTA}


def test_what_was_collected_is_left_as_it_is() -> None:
    """The original metrics stay, unchanged; without a fitting instrument nothing is added."""

    def record(meter: Meter) -> None:
        meter.create_counter("trading.order.submissions").add(3)

    before = collect(record)
    text = before.to_json()
    after = apply(before)
    assert before.to_json() == text
    assert names(before) < names(after)
    plain = collect(lambda meter: meter.create_counter("bot.frames").add(1))
    assert apply(plain).to_json() == plain.to_json()


def test_an_instrument_of_another_kind_is_left_alone() -> None:
    """A bot that records a gauge under a histogram's name gets no alias and no exception."""
    data = apply(collect(lambda meter: meter.create_gauge("trading.trade.duration").set(1.0)))
    assert names(data) == {"trading.trade.duration"}


class AliasedReader(PrometheusMetricReader):
    """The Prometheus exporter, handed the aliases too."""

    def _receive_metrics(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> None:
        super()._receive_metrics(apply(metrics_data), timeout_millis, **kwargs)


def test_the_names_arrive_literally_at_prometheus() -> None:
    """On the page each alias has its document's name: no unit and no _total is appended."""
    registry = CollectorRegistry(auto_describe=False)
    reader = AliasedReader(registry=registry)
    meter = MeterProvider([reader], shutdown_on_exit=False).get_meter("bot")
    for instrument in {alias.instrument for alias in ALIASES}:
        of_instrument = [alias for alias in ALIASES if alias.instrument == instrument]
        histogram = any(alias.kind == "histogram" or alias.quantiles for alias in of_instrument)
        counter = not histogram and any(alias.kind == "counter" for alias in of_instrument)
        for alias in of_instrument:
            attributes = {key: values[0] for key, values in alias.where}
            if alias.coded:
                attributes[alias.coded] = alias.codes[0][0]
            if histogram or alias.statistic in {"mean", "count"}:
                meter.create_histogram(instrument, "s").record(1.0, attributes)
            elif counter:
                meter.create_counter(instrument).add(1, attributes)
            else:
                meter.create_up_down_counter(instrument).add(1, attributes)
    samples = {
        sample.name
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }
    for alias in ALIASES:
        assert alias.name + ("_bucket" if alias.kind == "histogram" else "") in samples, alias.name
