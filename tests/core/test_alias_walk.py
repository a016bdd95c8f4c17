"""Every metric of the five documents, fed through the kit's instruments and found under the documents' names.

What is expected is written down from the documents: names, types, labels, units and buckets. The numbers are fed in
once, and looked for on the page for Prometheus and in what leaves over OTLP, with both engines.
"""

from __future__ import annotations

import math
import re
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from opentelemetry.metrics import Observation
from prometheus_client.parser import text_string_to_metric_families

from otel_trading.trading.alias_table import ALIASES
from otel_trading.trading.conventions import INSTRUMENTS, create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver

REQUIREMENTS = Path(__file__).parents[3] / "shared" / "requirements"

BTC, ETH = {"trading.instrument.symbol": "BTC/USDT"}, {"trading.instrument.symbol": "ETH/USDT"}
KALSHI, POLYMARKET = {"trading.venue.name": "kalshi"}, {"trading.venue.name": "polymarket"}
BASIS = {"trading.strategy.name": "basis"}
USD = {"trading.currency": "USD"}
BUY, SELL = {"trading.order.side": "buy"}, {"trading.order.side": "sell"}
LIMIT_ORDER = {"trading.order.type": "limit", "trading.order.time_in_force": "gtc"}
FETCH = {"trading.operation.name": "fetch_prices"}
CREATE = {"trading.operation.name": "create_order"}
TRADE = {"trading.execution.type": "trade"}
SUCCESS, TIMEOUT = {"trading.trade.outcome": "success"}, {"trading.trade.outcome": "timeout"}
BOOK = {"trading.market_data.type": "book_update"}
PRINTS = {"trading.market_data.type": "trade"}
MIB = 1_048_576

EVENTS = (
    *("candle_processing", "signal_generation", "order_execution", "order_fill"),
    *("event_bus_publish", "event_bus_handle"),
)


def breaker(name: str, state: str) -> dict[str, str]:
    return {"trading.circuit_breaker.name": name, "trading.circuit_breaker.state": state}


def limit(name: str) -> dict[str, str]:
    return {"trading.risk.limit.name": name, "trading.risk.scope": "account"}


FED: tuple[tuple[str, dict[str, Any], tuple[float, ...]], ...] = (
    ("trading.venue.messages", {**KALSHI, "network.io.direction": "receive"}, (7,)),
    ("trading.venue.messages", {**KALSHI, "network.io.direction": "transmit"}, (3,)),
    ("trading.order.submissions", {**KALSHI, **BTC, **BUY, **LIMIT_ORDER, **BASIS}, (3,)),
    ("trading.order.submissions", {**KALSHI, **BTC, **SELL, **LIMIT_ORDER, **BASIS}, (1,)),
    ("trading.execution.reports", {**KALSHI, **BTC, **BUY, **TRADE, "trading.order.status": "filled"}, (2,)),
    ("trading.execution.reports", {**KALSHI, **BTC, **BUY, **TRADE, "trading.order.status": "partially_filled"}, (3,)),
    ("trading.execution.quantity", {**KALSHI, **BTC}, (1.5,)),
    ("trading.order.ack.duration", {**KALSHI, "trading.order.type": "limit"}, (0.000_008, 0.000_2, 0.03, 0.2)),
    ("trading.order.active", {**KALSHI, **BTC, **BUY}, (2,)),
    ("trading.trade.completions", {**KALSHI, **BASIS, **SUCCESS}, (4,)),
    ("trading.trade.completions", {**POLYMARKET, **BASIS, **TIMEOUT}, (1,)),
    ("trading.trade.attempts", BASIS, (6,)),
    ("trading.trade.edge", {**BASIS, **USD}, (0.015, 3.2, -0.4)),
    ("trading.trade.duration", {**BASIS, **SUCCESS}, (0.3, 1.5, 45.0)),
    ("trading.pnl.realized", {**KALSHI, **BASIS, **USD, **BTC}, (12.5, -20.0)),
    ("trading.pnl.unrealized", {**BASIS, **USD, **BTC}, (-3.25,)),
    ("trading.pnl.session", USD, (-10.75,)),
    ("trading.position.quantity", {**KALSHI, **BTC, **BASIS}, (-0.5,)),
    ("trading.position.notional", {**KALSHI, **BTC, **USD}, (30_000.0,)),
    ("trading.position.active", {**KALSHI, **BASIS}, (2,)),
    ("trading.position.holding.duration", BASIS, (10.0, 20.0)),
    ("trading.venue.balance", {**KALSHI, **USD}, (1_000.0,)),
    ("trading.venue.balance", {**KALSHI, "trading.currency": "EUR"}, (55.0,)),
    ("trading.venue.request.duration", {**KALSHI, **FETCH}, (0.03, 0.15)),
    ("trading.venue.request.duration", {**KALSHI, **CREATE}, (0.004,)),
    ("trading.venue.reconnects", KALSHI, (2,)),
    ("trading.tick_to_trade.duration", {**BTC, **BASIS}, (0.0123,)),
    ("trading.opportunity.detections", {**BASIS, "trading.opportunity.route": "a-b"}, (9,)),
    ("trading.opportunity.edge.bps", BASIS, (12.0, 300.0)),
    ("trading.execution.slippage.bps", {**KALSHI, **BTC}, (7.0, -3.0, 60.0)),
    ("trading.market_data.messages", {**KALSHI, **BOOK}, (60,)),
    ("trading.market_data.messages", {**KALSHI, **PRINTS}, (40,)),
    ("trading.market_data.latency", {**KALSHI, **BOOK}, (0.04, 0.06, 0.3)),
    ("trading.market_data.age", {**KALSHI, **BOOK, "trading.market_data.subscription": "a"}, (31.0,)),
    ("trading.market_data.age", {**KALSHI, **BOOK, "trading.market_data.subscription": "b"}, (2.0,)),
    ("trading.market_data.errors", {**KALSHI, "error.type": "schema_validation"}, (1,)),
    ("trading.market_data.errors", {**KALSHI, "error.type": "spec_validation_changed"}, (2,)),
    ("trading.risk.utilization.ratio", limit("daily_loss"), (0.3,)),
    ("trading.risk.utilization.ratio", limit("position_exposure"), (0.87,)),
    ("trading.risk.limit", limit("daily_loss"), (500.0,)),
    ("trading.risk.limit", limit("position_exposure"), (40_000.0,)),
    ("trading.circuit_breaker.state", breaker("trade", "closed"), (1,)),
    ("trading.circuit_breaker.state", breaker("trade", "open"), (0,)),
    ("trading.circuit_breaker.state", breaker("daily", "half_open"), (1,)),
    ("trading.health.state", {"trading.health.component": "kalshi_adapter", "trading.health.state": "degraded"}, (1,)),
    ("trading.health.state", {"trading.health.component": "kalshi_adapter", "trading.health.state": "down"}, (0,)),
    ("trading.cache.lookups", {"trading.cache.name": "prices", "trading.cache.hit": True}, (3,)),
    ("trading.cache.lookups", {"trading.cache.name": "prices", "trading.cache.hit": False}, (1,)),
    ("trading.chain.gas", {"trading.chain.name": "polygon"}, (21_000,)),
    ("trading.chain.priority_fee", {"trading.chain.name": "polygon", **USD}, (0.02,)),
    ("trading.queue.depth", {"queue.name": "event_bus"}, (5,)),
    ("trading.telemetry.sampling.ratio", {}, (1.0,)),
    ("trading.runtime.gc.duration", {"cpython.gc.generation": 2}, (0.01,)),
    *(("trading.stage.duration", {"trading.stage.name": event}, (0.01, 0.01, 0.02)) for event in EVENTS),
    ("process.memory.usage", {}, (300 * MIB,)),
    ("process.memory.virtual", {}, (900 * MIB,)),
    ("process.cpu.utilization", {"cpu.mode": "user"}, (0.25,)),
    ("process.thread.count", {}, (12,)),
    ("process.open_file_descriptor.count", {}, (40,)),
    ("process.socket.count", {}, (11,)),
    ("process.open_file.count", {}, (6,)),
    ("system.cpu.utilization", {"cpu.mode": "user"}, (0.2,)),
    ("system.cpu.utilization", {"cpu.mode": "idle"}, (0.8,)),
    ("system.memory.usage", {"system.memory.state": "used"}, (2_048 * MIB,)),
    ("system.memory.usage", {"system.memory.state": "free"}, (1_024 * MIB,)),
    ("system.cpu.load_average.1m", {}, (1.5,)),
    ("system.filesystem.utilization", {"system.device": "a", "system.filesystem.mountpoint": "/"}, (0.5,)),
    ("system.filesystem.utilization", {"system.device": "b", "system.filesystem.mountpoint": "/data"}, (0.9,)),
    ("system.network.connection.count", {"network.transport": "tcp"}, (17,)),
    ("system.network.connection.count", {"network.transport": "udp"}, (3,)),
)
"""What is measured: instrument, attributes, values one after the other."""


class Histogram(NamedTuple):
    """Measurements, their sum, and how many are at most each bound."""

    measured: int
    total: float
    below: dict[float, int]


Labels = tuple[tuple[str, str], ...]


def labelled(**labels: str) -> Labels:
    return tuple(sorted(labels.items()))


def near(value: float) -> Any:
    """What a quantile of exponential buckets may be off by."""
    return pytest.approx(value, rel=0.03)


PLAIN: Labels = ()
VENUE = labelled(venue="kalshi")
SECONDS_BELOW = {0.025: 0, 0.05: 1, 0.075: 2, 0.25: 2, 0.5: 3, 10.0: 3}


def one(value: Any) -> dict[Labels, Any]:
    return {PLAIN: value}


EXPECTED: dict[str, tuple[str, dict[Labels, Any]]] = {
    # 000
    "messages_received": ("gauge", one(7)),
    "messages_sent": ("gauge", one(3)),
    "orders_placed": ("gauge", one(4)),
    "orders_filled": ("gauge", one(2)),
    "latency_histogram": (
        "histogram",
        one(Histogram(4, 230_208.0, {10: 1, 50: 1, 250: 2, 10_000: 2, 50_000: 3})),
    ),
    # 001
    "trades_total": (
        "counter",
        {labelled(venue="kalshi", outcome="success"): 4, labelled(venue="polymarket", outcome="timeout"): 1},
    ),
    "pnl_cents_total": ("gauge", {VENUE: -750.0}),
    "edge_captured_cents": ("histogram", one(Histogram(3, 281.5, {1: 1, 2: 2, 250: 2, 500: 3}))),
    "feed_latency_seconds": ("histogram", {VENUE: Histogram(3, 0.4, SECONDS_BELOW)}),
    "order_response_seconds": ("histogram", {VENUE: Histogram(4, 0.230_208, {0.005: 2, 0.05: 3, 0.25: 4})}),
    "order_response_time": ("gauge", {VENUE: 0.057_552}),
    "active_positions": ("gauge", one(2)),
    "daily_pnl": ("gauge", one(-10.75)),
    "daily_loss": ("gauge", one(10.75)),
    "max_daily_loss": ("gauge", one(500)),
    "max_limit": ("gauge", one(40_000)),
    "total_trades": ("gauge", one(4)),
    "average_edge_captured": ("gauge", one(281.5 / 3)),
    "fill_rate": ("gauge", one(0.5)),
    "average_holding_time": ("gauge", one(15)),
    "position_utilization": ("gauge", one(0.87)),
    "position_exposure": ("gauge", one(30_000)),
    "feed_latency_p50": ("gauge", one(near(60))),
    "feed_latency_p95": ("gauge", one(near(300))),
    "book_update_frequency": ("gauge", {VENUE: None}),
    "websocket_reconnections": ("gauge", one(2)),
    "time_since_last_update": ("gauge", one(31)),
    "schema_validation_errors": ("gauge", one(1)),
    "spec_validation_changed": ("gauge", one(2)),
    "service_status": ("gauge", {labelled(service="kalshi_adapter"): 1}),
    "memory_rss_mb": ("gauge", one(300)),
    "memory_vms_mb": ("gauge", one(900)),
    "cpu_percent": ("gauge", one(25)),
    "num_threads": ("gauge", one(12)),
    "num_fds": ("gauge", one(40)),
    "num_connections": ("gauge", one(11)),
    "open_files": ("gauge", one(6)),
    "cpu_usage_percent": ("gauge", one(20)),
    "memory_usage_mb": ("gauge", one(2_048)),
    "load_average": ("gauge", one(1.5)),
    "disk_usage_percent": ("gauge", one(90)),
    "network_connections": ("gauge", one(20)),
    # 002
    "market_maker_pnl_realized_total": ("gauge", {labelled(symbol="BTC/USDT", strategy="basis"): -7.5}),
    "market_maker_pnl_unrealized": ("gauge", {labelled(symbol="BTC/USDT", strategy="basis"): -3.25}),
    "market_maker_orders_active": ("gauge", {labelled(symbol="BTC/USDT", side="buy"): 2}),
    "market_maker_orders_placed_total": (
        "counter",
        {
            labelled(symbol="BTC/USDT", side="buy", type="limit"): 3,
            labelled(symbol="BTC/USDT", side="sell", type="limit"): 1,
        },
    ),
    "market_maker_orders_filled_total": ("counter", {labelled(symbol="BTC/USDT", side="buy"): 5}),
    "market_maker_volume_total": ("counter", {labelled(symbol="BTC/USDT"): 1.5}),
    "market_maker_position_size": ("gauge", {labelled(symbol="BTC/USDT"): -0.5}),
    "market_maker_latency_exchange_ms": (
        "histogram",
        {
            labelled(exchange="kalshi", operation="fetch_prices"): Histogram(2, 180.0, {25: 0, 50: 1, 250: 2}),
            labelled(exchange="kalshi", operation="create_order"): Histogram(1, 4.0, {2.5: 0, 5: 1}),
        },
    ),
    "market_maker_latency_tick_to_trade_ms": (
        "histogram",
        {labelled(symbol="BTC/USDT"): Histogram(1, 12.3, {10: 0, 25: 1})},
    ),
    # 003
    "arb_opportunities_detected_total": ("counter", one(9)),
    "arb_trades_attempted_total": ("counter", one(6)),
    "arb_trades_successful_total": ("counter", one(4)),
    "arb_trades_failed_total": ("counter", one(1)),
    "arb_current_balance_usd": ("gauge", one(1_000)),
    "arb_active_positions": ("gauge", one(2)),
    "arb_circuit_breaker_state": ("gauge", one(1)),
    "arb_opportunity_profit_bps": (
        "histogram",
        one(Histogram(2, 312.0, {10: 0, 25: 1, 50: 1, 100: 1, 250: 1, 500: 2, 1_000: 2})),
    ),
    "arb_trade_execution_seconds": (
        "histogram",
        one(Histogram(3, 46.8, {0.1: 0, 0.5: 1, 1: 1, 2: 2, 5: 2, 10: 2, 30: 2})),
    ),
    "arb_price_fetch_seconds": (
        "histogram",
        one(Histogram(2, 0.18, {0.01: 0, 0.05: 1, 0.1: 1, 0.2: 2, 0.5: 2, 1: 2, 2: 2})),
    ),
    "arb_slippage_bps": (
        "histogram",
        one(Histogram(3, 64.0, {5: 1, 10: 2, 25: 2, 50: 2, 100: 3, 250: 3, 500: 3})),
    ),
    "arb_actual_profit_total": ("gauge", one(-7.5)),
    "avg_fetch_latency": ("gauge", one(0.09)),
    "p99_fetch_latency": ("gauge", one(near(0.15))),
    "prices_per_second": ("gauge", one(None)),
    "cache_hit_rate": ("gauge", one(0.75)),
    "gas_used": ("gauge", one(21_000)),
    "priority_fee": ("gauge", one(0.02)),
    # 004
    **{
        f"{event}_latency_ns": (
            "gauge",
            {labelled(quantile=share): near(ns) for share, ns in zip(("50", "95", "99", "999"), values, strict=True)},
        )
        for event, values in [
            *((event, (1e7, 2e7, 2e7, 2e7)) for event in EVENTS),
            ("gc_pause", (1e7, 1e7, 1e7, 1e7)),
        ]
    },
    **{f"{event}_count": ("gauge", one(3)) for event in EVENTS},
    "gc_pause_count": ("gauge", one(1)),
    "event_bus_queue_depth": ("gauge", one(5)),
    "queue_backlog": ("gauge", one(5)),
    "sampling_rate": ("gauge", one(None)),
}
"""By name: the type, and the values by labels; ``None`` for what depends on the test's time or on the kit itself."""

MADE_OF_PARTS = re.compile(r"(.+)_(latency_ns|count)$")
SIGNED = {"trading.trade.edge", "trading.execution.slippage.bps"}


def feed(meter: Any, *, signed: bool) -> None:
    """Measure everything."""
    observed: dict[str, list[Observation]] = {}
    for name, attributes, values in FED:
        declared = INSTRUMENTS[name]
        if declared.observable:
            observed.setdefault(name, []).append(Observation(values[-1], attributes))
            continue
        instrument = create(meter, name)
        verb = "set" if declared.kind == "gauge" else "record" if "histogram" in declared.kind else "add"
        for value in values:
            if signed or name not in SIGNED or value >= 0:
                getattr(instrument, verb)(value, attributes)
    for name, observations in observed.items():
        _GIVEN.append(observations)
        create(meter, name, [_giving(observations)])


_GIVEN: list[list[Observation]] = []


@pytest.fixture(autouse=True)
def _nothing_is_observed_afterwards() -> Iterator[None]:
    """Instruments outlive the test, what they tell does not."""
    yield
    for observations in _GIVEN:
        observations.clear()


def _giving(observations: list[Observation]) -> Callable[..., list[Observation]]:
    return lambda _: observations


def on_the_page(url: str) -> dict[str, tuple[str, dict[Labels, Any]]]:
    """What Prometheus gets: type and values by labels, of every name."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as response:
        text = response.read().decode()
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    found: dict[str, tuple[str, dict[Labels, Any]]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = re.sub(r"_(bucket|sum|count)$", "", sample.name) if family.type == "histogram" else sample.name
            kind = types.get(name) or types.get(name.removesuffix("_total")) or family.type
            _, values = found.setdefault(name, (kind, {}))
            own = {key: value for key, value in sample.labels.items() if not key.startswith("otel_scope_")}
            bound = own.pop("le", None)
            labels = labelled(**own)
            if family.type != "histogram":
                values[labels] = sample.value
                continue
            count, total, below = values.get(labels, Histogram(0, math.nan, {}))
            if bound is not None:
                below = {**below, float(bound): int(sample.value)}
            elif sample.name.endswith("_sum"):
                total = sample.value
            else:
                count = int(sample.value)
            values[labels] = Histogram(count, total, below)
    return found


def over_otlp(receiver: OtlpReceiver, name: str) -> tuple[str, dict[Labels, Any]]:
    """What the Collector gets."""
    metric = receiver.metrics(name)[-1]
    kind = metric.WhichOneof("data")
    points = getattr(metric, kind).data_points
    values: dict[Labels, Any] = {}
    for point in points:
        labels = labelled(**{each.key: each.value.string_value for each in point.attributes})
        if kind == "histogram":
            running = [sum(point.bucket_counts[: place + 1]) for place in range(len(point.explicit_bounds))]
            below = dict(zip(point.explicit_bounds, running, strict=True))
            values[labels] = Histogram(point.count, point.sum, below)
        else:
            values[labels] = point.as_double if point.HasField("as_double") else point.as_int
    return {"sum": "counter"}.get(kind, kind), values


def differences(name: str, found: tuple[str, dict[Labels, Any]], *, signed: bool) -> Iterator[str]:
    kind, values = EXPECTED[name]
    if not signed and any(alias.name == name and alias.instrument in SIGNED for alias in ALIASES):
        return  # the SDK's histograms take no negative values: they are counted as lost
    if found[0] != kind or set(found[1]) != set(values):
        yield f"{name}: {found[0]} {sorted(found[1])} instead of {kind} {sorted(values)}"
        return
    for labels, value in values.items():
        seen = found[1][labels]
        if isinstance(value, Histogram):
            close = (seen.measured, seen.total) == (value.measured, pytest.approx(value.total))
            if not close or any(seen.below.get(bound) != count for bound, count in value.below.items()):
                yield f"{name}{labels}: {seen} instead of {value}"
        elif value is None:
            if not seen > 0:
                yield f"{name}{labels}: {seen}"
        elif not signed and "quantile" in _statistics(name):
            continue  # the page of the SDK has explicit buckets: a quantile is as exact as they are narrow
        elif seen != (value if not isinstance(value, (int, float)) else pytest.approx(value)):
            yield f"{name}{labels}: {seen} instead of {value}"


def _statistics(name: str) -> set[str]:
    return {alias.statistic for alias in ALIASES if alias.name == name}


def test_the_documents_buckets_are_among_the_instruments() -> None:
    """Counts below a document's bounds are exact also where an engine has explicit buckets."""
    for alias in ALIASES:
        if alias.kind == "histogram":
            bounds = {round(bound, 9) for bound in INSTRUMENTS[alias.instrument].bounds}
            assert {round(bound / alias.scale, 9) for bound in alias.bounds} <= bounds, alias.name


def test_every_alias_is_walked() -> None:
    """What is expected here is the whole table."""
    assert {alias.name for alias in ALIASES} == set(EXPECTED)


@pytest.mark.skipif(not REQUIREMENTS.is_dir(), reason="the documents are not here")
def test_every_name_is_in_a_document() -> None:
    """The names are the documents' own: none was made up, none has a mistake."""
    text = "\n".join(file.read_text("utf-8", "replace") for file in sorted(REQUIREMENTS.glob("*.txt")))
    for name in EXPECTED:
        event = MADE_OF_PARTS.sub(r"\1", name)
        assert name in text or event.upper() in text, name


@pytest.mark.skipif(not REQUIREMENTS.is_dir(), reason="the documents are not here")
def test_no_declared_metric_of_a_document_is_forgotten() -> None:
    """What the documents declare as a metric, with a library's call or in a table of metrics, is expected here."""
    text = "\n".join(file.read_text("utf-8", "replace") for file in sorted(REQUIREMENTS.glob("*.txt")))
    declared = {
        *re.findall(r"(?:Counter|Histogram|Gauge|Summary)\('([a-z_]+)'", text),
        *re.findall(r"\"(arb_[a-z_]+)\"", text),
        *re.findall(r"\b(arb_[a-z_]+?)(?:_bucket)?\[", text),
        *re.findall(r"^\| `(market_maker_[a-z_]+)`", text, re.MULTILINE),
        *re.findall(r"expr: ([a-z_]+)", text),
    }
    assert len(declared) > 25
    assert declared - set(EXPECTED) == set()


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_every_metric_of_the_documents_is_there(configured: Configure, receiver: OtlpReceiver, engine: str) -> None:
    """On the page and over OTLP: name, type, labels, unit, buckets and value."""
    handle = configured(engine=engine, metric_aliases=True, health_enabled=False)
    assert handle.ops is not None
    signed = engine == "native"
    feed(handle.meter_provider.get_meter("walk"), signed=signed)  # whose instruments nobody made otherwise before
    page = on_the_page(handle.ops.url)
    assert handle.flush(10)
    missing = sorted(set(EXPECTED) - set(page))
    assert not missing
    wrong = [text for name in EXPECTED for text in differences(name, page[name], signed=signed)]
    wrong += [
        f"OTLP: {text}" for name in EXPECTED for text in differences(name, over_otlp(receiver, name), signed=signed)
    ]
    assert not wrong, "\n".join(wrong)
