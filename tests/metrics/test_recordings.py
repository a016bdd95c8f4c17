"""Recorded markets as fast as they can be read, every message measured while others scrape and push."""

from __future__ import annotations

import gzip
import json
import threading
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import pytest
from opentelemetry.sdk.metrics import Histogram
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from prometheus_client.parser import text_string_to_metric_families

from otel_trading import Timer, configure
from otel_trading.export.distribution import Distribution
from otel_trading.metrics.native import NativeMeterProvider
from tests.core.otlp_receiver import OtlpReceiver
from tests.demo.venue.venue_clients import recordings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.metrics import Meter

    from otel_trading import Telemetry

Market = Literal["spot", "perp", "polymarket"]
Temporality = Literal["cumulative", "delta"]
MARKETS: tuple[Market, ...] = ("spot", "perp", "polymarket")
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "p999": 0.999}
ROUNDS = 500
"""How often each message of Polymarket is read: there is one of each kind."""


def messages(market: Market) -> Iterator[bytes]:
    """Every message as it came off the socket."""
    files = recordings()
    if market == "polymarket":
        found = sorted((files["spot"].parent / "polymarket").glob("ws_*.json"))
        assert len(found) == 20
        for _ in range(ROUNDS):
            yield from (file.read_bytes() for file in found)
        return
    with gzip.open(files[market], "rb") as lines:
        for line in lines:
            yield line.partition(b" ")[2]


def stream_of(message: dict[str, Any]) -> str:
    """The kind of a message of either venue."""
    name = str(message.get("stream", ""))
    return name.partition("@")[2] or str(message.get("event_type", "")) or "snapshot"


@dataclass
class Expected:
    """The same measurements kept one by one."""

    streams: Counter[str] = field(default_factory=Counter)
    sizes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def measure(market: Market, name: str, meter: Meter, parse: Timer) -> Expected:
    """Read a market to its end: count by stream, size, and time to parse of each message."""
    frames = meter.create_counter(f"{name}.frames", "{message}")
    sizes = meter.create_histogram(f"{name}.size", "By").bind({"venue": market})  # type: ignore[attr-defined]
    expected = Expected()
    for raw in messages(market):
        running = parse.time()
        message = json.loads(raw)
        seconds = running.stop()
        assert seconds is not None
        expected.seconds.append(seconds)
        stream = stream_of(message)
        frames.add(1, {"venue": market, "trading.market_data.type": stream})
        expected.streams[stream] += 1
        sizes.record(len(raw))
        expected.sizes.append(len(raw))
    return expected


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A Collector."""
    with OtlpReceiver() as running:
        yield running


def bot(receiver: OtlpReceiver, temporality: Temporality = "cumulative") -> Telemetry:
    """A bot that pushes ten times a second."""
    return configure(
        service_name="replay", endpoint=receiver.url, metric_interval=0.1, temporality=temporality,
        traces_exporter="none", logs_exporter="none", ops_port=0, banner=False,
    )  # fmt: skip


def lost(telemetry: Telemetry) -> dict[str, int]:
    """Measurements that were dropped; what callbacks say may come one collection late while a replay keeps the GIL."""
    dropped = telemetry.status().signals["metrics"].dropped
    return {reason: count for reason, count in dropped.items() if reason != "callback_late"}


class Scraper:
    """Reads ``/metrics`` again and again, until the block ends."""

    def __init__(self, telemetry: Telemetry) -> None:
        assert telemetry.ops is not None
        self._url = f"{telemetry.ops.url}/metrics"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.pages = 0

    def samples(self) -> dict[tuple[str, str], float]:
        """Every sample by its name and stream."""
        with urllib.request.urlopen(self._url, timeout=10) as answer:
            text = answer.read().decode()
        self.pages += 1
        return {
            (sample.name, sample.labels.get("trading_market_data_type", "")): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def _run(self) -> None:
        while not self._over.wait(0.05):
            self.samples()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def points(receiver: OtlpReceiver, name: str, kind: str) -> list[Any]:
    """Every point of a metric that was pushed, oldest first."""
    return [point for metric in receiver.metrics(name) for point in getattr(metric, kind).data_points]


def pushed_counts(receiver: OtlpReceiver, name: str, temporality: Temporality) -> Counter[str]:
    """A counter's total by stream: what was pushed last, or all that was pushed."""
    found: Counter[str] = Counter()
    for point in points(receiver, name, "sum"):
        attributes = {attribute.key: attribute.value.string_value for attribute in point.attributes}
        stream = attributes["trading.market_data.type"]
        found[stream] = point.as_int + (found[stream] if temporality == "delta" else 0)
    return +found


@pytest.mark.parametrize("temporality", ["cumulative", "delta"])
@pytest.mark.parametrize("market", MARKETS)
def test_every_message_is_counted_exactly(receiver: OtlpReceiver, market: Market, temporality: Temporality) -> None:
    """By stream, in what was pushed and on the page, and no measurement is dropped."""
    name = f"replay.{market}.{temporality}"
    with bot(receiver, temporality) as telemetry:
        dropped = lost(telemetry)
        parse = telemetry.timer(f"{name}.parse")
        with Scraper(telemetry) as scraper:
            expected = measure(market, name, telemetry.meter, parse)
        page = scraper.samples()
        assert scraper.pages > 1
        assert telemetry.shutdown(10)
        assert lost(telemetry) == dropped
    family = name.replace(".", "_")
    on_page = {stream: count for (sample, stream), count in page.items() if sample == f"{family}_frames_total"}
    assert on_page == expected.streams
    for metric, values in (("size_bytes", expected.sizes), ("parse_seconds", expected.seconds)):
        assert page[f"{family}_{metric}_count", ""] == len(values)
        assert page[f"{family}_{metric}_sum", ""] == pytest.approx(sum(values))

    assert pushed_counts(receiver, f"{name}.frames", temporality) == expected.streams
    times = points(receiver, f"{name}.parse", "exponential_histogram")
    assert (sum if temporality == "delta" else max)(point.count for point in times) == len(expected.seconds)
    assert parse.count == len(expected.seconds)
    assert parse.sum == pytest.approx(sum(expected.seconds))


@pytest.mark.parametrize("market", MARKETS)
def test_percentiles_of_timers_are_numpys(receiver: OtlpReceiver, market: Market) -> None:
    """Within 1 %, from the same times to parse; and the mean, the greatest and their number exactly."""
    with bot(receiver) as telemetry:
        name = f"replay.{market}.timed"
        parse = telemetry.timer(f"{name}.parse", budget=1e-5)
        expected = measure(market, name, telemetry.meter, parse)
        stats = parse.stats()
    for field_name, quantile in QUANTILES.items():
        exact = np.quantile(expected.seconds, quantile)
        assert getattr(stats, field_name) == pytest.approx(exact, rel=0.01), field_name
    assert (stats.count, stats.max) == (len(expected.seconds), max(expected.seconds))
    assert stats.mean == pytest.approx(np.mean(expected.seconds))
    assert stats.violations == sum(seconds > 1e-5 for seconds in expected.seconds)


@pytest.mark.parametrize("market", MARKETS)
def test_percentiles_of_fine_histograms_are_numpys(receiver: OtlpReceiver, market: Market) -> None:
    """Within 1 %, of sizes; and with the default number of buckets within what their scale allows."""
    fine = ExponentialBucketHistogramAggregation(max_size=2_048)
    reader = InMemoryMetricReader(preferred_aggregation={Histogram: fine})
    provider = NativeMeterProvider([reader], histogram_size=2_048)
    name = f"replay.{market}.sized"
    with bot(receiver) as telemetry:
        expected = measure(market, name, provider.get_meter("replay"), telemetry.timer(f"{name}.parse"))
        coarse = telemetry.meter.create_histogram(f"{name}.coarse", "By")
        for size in expected.sizes:
            coarse.record(size)
    data = reader.get_metrics_data()
    assert data is not None
    [metric] = [m for m in data.resource_metrics[0].scope_metrics[0].metrics if m.name == f"{name}.size"]
    [point] = metric.data.data_points
    measured = Distribution.of_point(point)
    assert (measured.count, measured.total) == (len(expected.sizes), sum(expected.sizes))
    assert (measured.low, measured.high) == (min(expected.sizes), max(expected.sizes))
    for quantile in QUANTILES.values():
        exact = np.quantile(expected.sizes, quantile, method="inverted_cdf")
        assert measured.quantile(quantile) == pytest.approx(exact, rel=0.01), quantile

    pushed = points(receiver, f"{name}.coarse", "exponential_histogram")[-1]
    assert (pushed.count, pushed.sum) == (len(expected.sizes), sum(expected.sizes))
    bounds = 2.0 ** ((pushed.positive.offset + np.arange(len(pushed.positive.bucket_counts) + 1)) / 2.0**pushed.scale)
    ranks = np.cumsum(pushed.positive.bucket_counts)
    for quantile in QUANTILES.values():
        exact = np.quantile(expected.sizes, quantile, method="inverted_cdf")
        bucket = int(np.searchsorted(ranks, np.ceil(round(quantile * pushed.count, 9))))
        assert bounds[bucket] * (1 - 1e-9) <= exact <= bounds[bucket + 1] * (1 + 1e-9), quantile


def test_the_data_is_what_its_description_says() -> None:
    """The tests above read as many messages as were recorded."""
    described = json.loads((Path(recordings()["spot"]).parent / "metadata.json").read_text())["files"]
    for market in ("spot", "perp"):
        name = recordings()[market].name
        assert sum(1 for _ in messages(market)) == described[name]["messages"]
