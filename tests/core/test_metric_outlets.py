"""What leaves beside OTLP and the page: aliases, and the file of metrics."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from otel_trading.metrics.events import EventID, MetricsCollector, measure

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading import Telemetry
    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver


@pytest.fixture(params=["native", "sdk"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each of the two engines."""
    return str(request.param)


def page(handle: Telemetry) -> dict[tuple[str, str], float]:
    """Values at /metrics by name and the first label's value."""
    assert handle.ops is not None
    with urllib.request.urlopen(f"{handle.ops.url}/metrics", timeout=5) as response:
        families = text_string_to_metric_families(response.read().decode())
        samples = [sample for family in families for sample in family.samples]
    return {(sample.name, next(iter(sample.labels.values()), "")): sample.value for sample in samples}


def test_aliases_are_on_the_page_once(configured: Configure, engine: str) -> None:
    """A measured latency is there under the documents' name, in milliseconds, and counted once."""
    handle = configured(engine=engine, metric_aliases=True)
    histogram = handle.meter.create_histogram("trading.tick_to_trade.duration", "s")
    histogram.record(0.0123, {"trading.instrument.symbol": "BTC"})
    samples = page(handle)
    assert samples["market_maker_latency_tick_to_trade_ms_count", "BTC"] == 1
    assert samples["market_maker_latency_tick_to_trade_ms_sum", "BTC"] == pytest.approx(12.3)


def test_aliases_leave_over_otlp(configured: Configure, receiver: OtlpReceiver, engine: str) -> None:
    """The Collector gets the alias beside the metric."""
    handle = configured(engine=engine, metric_aliases=True)
    handle.meter.create_counter("trading.trade.completions", "{trade}").add(3, {"trading.trade.outcome": "success"})
    assert handle.flush(5)
    (metric,) = receiver.metrics("total_trades")
    assert [point.as_int or point.as_double for point in metric.gauge.data_points] == [3]


def test_without_the_option_there_are_no_aliases(configured: Configure, engine: str) -> None:
    """Nobody gets names twice who did not ask for them."""
    handle = configured(engine=engine)
    handle.meter.create_counter("trading.trade.completions", "{trade}").add(3, {"trading.trade.outcome": "success"})
    assert "total_trades" not in {name for name, _ in page(handle)}


def test_metrics_are_written_to_a_file(configured: Configure, tmp_path: Path, engine: str) -> None:
    """The file holds all metrics as JSON at the latest after its interval."""
    path = tmp_path / "metrics.json"
    handle = configured(engine=engine, metrics_file=str(path), metrics_file_interval=0.1)
    handle.meter.create_counter("bot.frames").add(7, {"venue": "binance"})
    assert handle.flush(5)
    metrics = {metric["name"]: metric["points"] for metric in json.loads(path.read_text("utf-8"))["metrics"]}
    assert metrics["bot.frames"] == [{"attributes": {"venue": "binance"}, "value": 7}]


def test_stages_are_exported_with_their_budget(configured: Configure) -> None:
    """A stage that took longer than its budget is counted, and its duration is in the histogram."""
    handle = configured(budgets={"order_execution": "1ms"}, event_sampling_threshold=0)
    deadline = time.monotonic() + 5
    while MetricsCollector().current_rate < 1 and time.monotonic() < deadline:
        time.sleep(0.02)  # load that other tests made is forgotten at the pump's next tick
    before = page(handle).get(("trading_stage_budget_violations_total", "order_execution"), 0)
    with measure(EventID.ORDER_EXECUTION):
        time.sleep(0.005)
    samples = page(handle)
    assert samples["trading_stage_budget_violations_total", "order_execution"] == before + 1
    assert samples["trading_stage_duration_seconds_sum", "order_execution"] >= 0.005
