"""The demo on the real backends: from an exemplar to its trace to its order's log lines."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.stack.backends import Jaeger, Loki, Prometheus
from tests.demo.test_demo_command import FRAMES, run
from tests.demo.venue.venue_clients import recordings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from otel_trading.stack import Stack

pytestmark = pytest.mark.stack


STREAMS = {"ticker": "bookTicker", "trade": "trade", "book_update": "depth"}
VENUES = {"binance": "spot", "binanceusdm": "perp"}


@pytest.fixture(scope="module")
def summary(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    with pytest.MonkeyPatch.context() as patch:  # what others left is sent, too, and emitted by nobody here
        patch.setenv("OTEL_TRADING_FLIGHT_FOLDER", str(tmp_path_factory.mktemp("flight")))
        patch.setenv("OTEL_TRADING_SPOOL_FOLDER", str(tmp_path_factory.mktemp("spool")))
        yield played(stack, tmp_path_factory.mktemp("demo"), "--seconds", "25")


def played(stack: Stack, folder: Path, *arguments: str) -> dict[str, Any]:
    target = folder / "summary.json"
    arguments = (*arguments, "--endpoint", stack.urls["otlp_http"], "--ops-port", "0")
    code, output, errors = run(folder / "cache", *arguments, "--summary-json", str(target), timeout=240.0)
    assert code == 0, errors
    found: dict[str, Any] = json.loads(target.read_text())
    assert found["trace_ids"]["slowest"] in output
    return found


def test_all_of_its_telemetry_is_delivered(summary: dict[str, Any]) -> None:
    """Nothing is dropped, nothing is pending."""
    telemetry = summary["telemetry"]
    assert telemetry["dropped"] == 0
    assert telemetry["sent"] == sum(account["emitted"] for account in telemetry["signals"].values()) > 0


def total(stack: Stack, summary: dict[str, Any], name: str, by: str = "") -> dict[tuple[str, ...], float]:
    """A counter, or the number of a histogram's measurements, of one run."""
    series = f'{name}{{instance="{summary["service_instance_id"]}"}}'
    found = eventually(lambda: Prometheus(stack.urls["prometheus"]).query(f"sum by ({by}) ({series})"))
    return {
        tuple(each["metric"][label] for label in by.split(", ") if label): float(
            each["histogram"][1]["count"] if "histogram" in each else each["value"][1]
        )
        for each in found
    }


def test_prometheus_counts_what_the_bot_counted(stack: Stack, summary: dict[str, Any]) -> None:
    """Frames, orders and fills exactly, and one measurement of a time for each order that was answered."""
    counted = {
        "trading_market_data_messages_total": sum(summary["messages"].values()),
        "trading_order_submissions_total": summary["orders"],
        "trading_trade_attempts_total": summary["trades"],
        "trading_order_ack_duration_seconds": summary["orders"],
        "trading_trade_completions_total": summary["trades"],
    }
    assert {name: total(stack, summary, name)[()] for name in counted} == counted
    stages = total(stack, summary, "trading_stage_duration_seconds", "trading_stage_name")
    assert stages["signal_generation",] == summary["trades"]
    assert stages["order_execution",] == summary["orders"]


def test_every_recorded_frame_is_counted_in_prometheus(stack: Stack, tmp_path: Path) -> None:
    """Both recordings at full speed: exactly as many frames of each stream as the files hold, nothing dropped."""
    files = recordings()
    summary = played(stack, tmp_path, "--spot", str(files["spot"]), "--perp", str(files["perp"]), "--speed", "max")
    assert summary["telemetry"]["dropped"] == 0
    by = "trading_venue_name, trading_market_data_type"
    counted = total(stack, summary, "trading_market_data_messages_total", by)
    found: dict[str, dict[str, float]] = {venue: {} for venue in FRAMES}
    for (venue, stream), count in counted.items():
        found[VENUES[venue]][STREAMS[stream]] = count
    assert found == FRAMES


def test_a_slow_tick_is_followed_from_exemplar_to_trace_to_log_lines(stack: Stack, summary: dict[str, Any]) -> None:
    """One id in three backends: a point of the histogram, the way from tick to acknowledgement, the order's lines."""
    series = 'trading_tick_to_trade_duration_seconds{trading_strategy_name="basis"}'
    exemplars = eventually(lambda: Prometheus(stack.urls["prometheus"]).exemplars(series))
    ids = {exemplar["labels"]["trace_id"] for exemplar in exemplars} & set(summary["trace_ids"]["recent"])
    assert ids
    trace_id = ids.pop()

    spans = eventually(lambda: whole(Jaeger(stack.urls["jaeger_ui"]).spans(trace_id)))
    root = next(span for span in spans if span["operationName"] == "tick_to_trade")
    assert not root["references"]
    orders = [span for span in spans if span["operationName"] == "order"]
    assert {tags(span)["trading.venue.name"] for span in orders} >= {"binance", "binanceusdm"}
    for span in orders:
        events = {field["value"] for log in span["logs"] for field in log["fields"] if field["key"] == "event"}
        assert "trading.order.acknowledged" in events
        assert root["startTime"] <= span["startTime"]
    assert any(tags(span).get("span.kind") == "client" for span in spans)

    lines = eventually(lambda: Loki(stack.urls["loki"]).lines_of_trace(trace_id))
    for step in ("order submitted", "order acknowledged", "order filled"):
        assert any(line.startswith(step) for line, _ in lines), lines
    ordered = {labels.get("trading_order_client_id") for _, labels in lines} - {None}
    assert {tags(span)["trading.order.client_id"] for span in orders} <= ordered


def whole(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spans once the last one of a trade has come."""
    return spans if {"tick_to_trade", "pnl"} <= {span["operationName"] for span in spans} else []


def tags(span: dict[str, Any]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def eventually(ask: Callable[[], list[Any]], within: float = 30.0) -> list[Any]:
    deadline = time.monotonic() + within
    while not (found := ask()):
        assert time.monotonic() < deadline
        time.sleep(0.25)
    return found
