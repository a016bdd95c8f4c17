from __future__ import annotations

import logging
import urllib.request
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import pytest
from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from prometheus_client.parser import text_string_to_metric_families

from otel_trading.testing import capture

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver


def scrape(url: str) -> dict[str, list[tuple[str, dict[str, str], float]]]:
    """All samples at /metrics by family."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as response:
        text = response.read().decode()
    return {
        family.name: [(sample.name, sample.labels, sample.value) for sample in family.samples]
        for family in text_string_to_metric_families(text)
    }


def test_one_histogram_is_exponential_over_otlp_and_explicit_on_the_page(
    configured: Configure, receiver: OtlpReceiver
) -> None:
    """The same recordings leave as a base-2 histogram and are scraped with buckets that suit their unit."""
    handle = configured()
    histogram = handle.meter.create_histogram("bot.decide.duration", "s")
    for value in (0.000_3, 0.003, 0.03):
        histogram.record(value)
    assert handle.flush(5)
    point = receiver.metrics("bot.decide.duration")[0].exponential_histogram.data_points[0]
    assert (point.count, point.sum) == (3, pytest.approx(0.0333))
    assert handle.ops is not None
    samples = scrape(handle.ops.url)["bot_decide_duration_seconds"]
    buckets = {labels["le"]: value for name, labels, value in samples if name.endswith("_bucket")}
    assert (buckets["0.0005"], buckets["0.005"], buckets["0.05"], buckets["+Inf"]) == (1, 2, 3, 3)


def test_advised_boundaries_win(configured: Configure) -> None:
    """An instrument's own boundaries are used on the page."""
    handle = configured()
    handle.meter.create_histogram("bot.edge", "{bp}", explicit_bucket_boundaries_advisory=[1, 7]).record(5)
    assert handle.ops is not None
    samples = scrape(handle.ops.url)["bot_edge"]
    assert [float(labels["le"]) for name, labels, _ in samples if name.endswith("_bucket")] == [1, 7, float("inf")]


def test_explicit_histograms_over_otlp_on_request(configured: Configure, receiver: OtlpReceiver) -> None:
    """histogram_aggregation turns OTLP to explicit buckets."""
    handle = configured(histogram_aggregation="explicit_bucket_histogram")
    handle.meter.create_histogram("bot.decide.duration", "s").record(0.003)
    assert handle.flush(5)
    assert receiver.metrics("bot.decide.duration")[0].histogram.data_points[0].count == 1


def test_delta_temporality_on_request(configured: Configure, receiver: OtlpReceiver) -> None:
    """With delta each export holds what came since the last."""
    handle = configured(temporality="delta")
    counter = handle.meter.create_counter("bot.frames")
    for amount in (3, 4):
        counter.add(amount)
        assert handle.flush(5)
    assert [metric.sum.data_points[0].as_int for metric in receiver.metrics("bot.frames")] == [3, 4]


@pytest.mark.parametrize("value", [None, "1", float("nan"), float("inf"), 10**400, object(), [1]])
def test_what_is_no_number_is_counted_and_never_raised(
    configured: Configure, caplog: pytest.LogCaptureFixture, value: object
) -> None:
    """A value that is no number costs itself: no exception, no log line, one count."""
    handle = configured()
    before = handle.status().signals["metrics"].dropped.get("invalid_value", 0)
    with caplog.at_level(logging.WARNING):
        handle.meter.create_counter("bot.frames").add(value)  # type: ignore[arg-type]
        handle.meter.create_histogram("bot.decide.duration", "s").record(value)  # type: ignore[arg-type]
        handle.meter.create_gauge("bot.level").set(value)  # type: ignore[arg-type]
    assert handle.status().signals["metrics"].dropped["invalid_value"] == before + 3
    assert caplog.records == []


def test_huge_integers_and_decimals_do_not_poison_the_export(configured: Configure, receiver: OtlpReceiver) -> None:
    """Wei amounts beyond 64 bits and Decimals mixed with floats arrive as doubles; other metrics are unharmed."""
    handle = configured()
    handle.meter.create_counter("bot.gas").add(10**19)
    volume = handle.meter.create_counter("bot.volume")
    volume.add(Decimal("0.1"))
    volume.add(0.2)
    handle.meter.create_counter("bot.frames").add(1)
    assert handle.flush(5)
    assert receiver.metrics("bot.gas")[0].sum.data_points[0].as_double == 1e19
    assert receiver.metrics("bot.volume")[0].sum.data_points[0].as_double == pytest.approx(0.3)
    assert receiver.metrics("bot.frames")[0].sum.data_points[0].as_int == 1


def test_bad_instrument_name_records_nothing_and_says_so(
    configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    """A name OpenTelemetry does not allow gives an instrument that does nothing, with one message."""
    with caplog.at_level(logging.WARNING, "otel_trading"):
        configured().meter.create_counter("9 lives").add(1)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "'9 lives'" in message
    assert "records nothing" in message


def test_libraries_instruments_report_through_us(configured: Configure, receiver: OtlpReceiver) -> None:
    """Observables and instruments made through the global API are exported, also after a reconfiguration."""
    handle = configured()
    meter = metrics.get_meter("a.library")

    def depth(_: CallbackOptions) -> list[Observation]:
        return [Observation(5, {"queue": "orders"})]

    meter.create_observable_gauge("library.queue.depth", [depth])
    up_down = meter.create_up_down_counter("library.open")
    up_down.add(2)
    assert handle.flush(5)
    assert receiver.metrics("library.queue.depth")[-1].gauge.data_points[0].as_int == 5
    assert receiver.metrics("library.open")[-1].sum.data_points[0].as_int == 2
    configured(temporality="delta")
    assert handle.flush(5)
    assert receiver.metrics("library.queue.depth")[-1].gauge.data_points[0].as_int == 5


def test_telemetry_reports_on_itself(configured: Configure, receiver: OtlpReceiver) -> None:
    """What was emitted and dropped is a metric of its own."""
    handle = configured()
    handle.tracer.start_span("tick").end()
    assert handle.flush(5)
    points = receiver.metrics("trading.telemetry.events")[-1].sum.data_points
    by_signal = {point.attributes[0].value.string_value: point.as_int for point in points}
    assert by_signal["traces"] == 1
    assert receiver.metrics("trading.telemetry.dropped")


def test_a_timer_counts_its_violations_under_its_stage() -> None:
    """By the timer's name where it has no stage, on either engine; one of the other engine stays out of it."""
    stages = ("tests.signal", "tests.fill")
    engines: tuple[Literal["native", "sdk"], ...] = ("native", "sdk", "native")
    for more, engine in enumerate(engines):
        with capture(engine=engine) as telemetry:
            for times, stage in enumerate(stages, 1):
                attributes = {"trading.stage.name": stage}
                timer = telemetry.timer("tests.stage.duration", budget=0.01, attributes=attributes)
                for _ in range(times + more):
                    timer.record(0.02)
            telemetry.timer(f"bot.unhurried.{engine}", budget=0.01).record(0.001)
            violations = telemetry.metrics["trading.stage.budget.violations"]
            for times, stage in enumerate(stages, 1):
                assert violations(trading_stage_name=stage).value == times + more
                assert telemetry.metrics["tests.stage.duration"](trading_stage_name=stage).count == times + more
            assert violations(trading_stage_name=f"bot.unhurried.{engine}").value == 0
            unhurried = {str(series["trading.stage.name"]) for series in violations.attributes} - {*stages}
            assert {name for name in unhurried if name.startswith("bot.unhurried")} == {f"bot.unhurried.{engine}"}


@pytest.mark.parametrize("engine", ["native", "sdk"])
@pytest.mark.parametrize("disabled", ["true", "false"])
def test_a_timer_never_raises(bot: Callable[..., subprocess.CompletedProcess[str]], engine: str, disabled: str) -> None:
    """Where nothing is exported, or not under this name or these attributes, it measures all the same."""
    source = """
import otel_trading as ot
telemetry = ot.configure(banner=False)
for name, attributes in (
    ("bot.decide", {"venue": "okx"}), ("bot.decide", {"venue": "kraken"}), ("bot.decide", None), ("9 lives", None),
    ("", None), ("bot.object", {"leg": object()}), ("bot.number", {1: 2}), ("bot.text", "venue=okx"),
):
    timer = telemetry.timer(name, budget=ot.ms(1), attributes=attributes)
    timer.record(0.002)
    with timer.time():
        pass
    print(timer.stats().count, timer.violations)
"""
    run = bot(
        source, OTEL_TRADING_ENGINE=engine, OTEL_SDK_DISABLED=disabled,
        OTEL_METRICS_EXPORTER="none", OTEL_TRACES_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    assert run.stdout.split("\n")[:-1] == ["2 1"] * 8
    assert run.stderr.count("timer 'bot.text' has no attributes: 'venue=okx' are none") == 1


def test_too_many_series_are_seen(configured: Configure, receiver: OtlpReceiver) -> None:
    """Attributes beyond the limit share one series, which is no loss, and telemetry says how often that was."""
    handle = configured()
    counter = handle.meter.create_counter("bot.orders.by_id")
    for order in range(2_005):
        counter.add(1, {"order": str(order)})
    assert handle.flush(5)
    points = receiver.metrics("bot.orders.by_id")[0].sum.data_points
    assert len(points) == 2_000
    overflow = [point.as_int for point in points if point.attributes[0].key == "otel.metric.overflow"]
    assert overflow == [6]
    (metric,) = receiver.metrics("trading.telemetry.overflow")
    assert metric.sum.data_points[0].as_int == 6
    assert handle.status().signals["metrics"].lost == 0


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_measuring_is_switched_while_the_bot_runs(configured: Configure, receiver: OtlpReceiver, engine: str) -> None:
    """Off, what is measured is not there, also by handles; on again, it goes on."""
    handle = configured(engine=engine)
    counter = handle.meter.create_counter("bot.switched")
    bound = counter.bind({"venue": "binance"})
    bound.add(1)
    handle.measuring = False
    assert not handle.measuring
    counter.add(10, {"venue": "binance"})
    bound.add(10)
    handle.measuring = True
    bound.add(1)
    assert handle.flush(5)
    assert receiver.metrics("bot.switched")[0].sum.data_points[0].as_int == 2
