"""An order's life in the real Loki, Jaeger and Prometheus."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.stack.backends import Jaeger, Loki, Prometheus
from tests.stack.sending import eventually
from tests.stack.test_native_metrics import run_bot
from tests.stack.test_native_traces import tags

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading.stack import Stack

pytestmark = pytest.mark.stack

BOT = """
import sys
import otel_trading as ot

telemetry = ot.configure()
trading, order = telemetry.trading, sys.argv[1]
with telemetry.tick_to_trade("BTC/USDT", strategy="basis") as tick:
    trading.order_submitted(order, venue="kraken", symbol="BTC/USDT", side="buy", type="limit", time_in_force="gtc",
                            quantity="0.5", price="27000", strategy="basis")
    tick.keep()
    print(format(tick.get_span_context().trace_id, "032x"))
trading.order_acknowledged(order, venue_order_id="V-7")
trading.order_filled(venue_order_id="V-7", venue="kraken", quantity="0.2", price="26999.5", execution_id="E-1")
trading.order_filled(order, quantity="0.1", price="26999.0", execution_id="E-2", liquidity="maker")
trading.order_cancel_requested(order)
trading.order_canceled(order, reason="timeout")
assert telemetry.shutdown(30)
"""

LIFE = [
    *("order submitted", "order acknowledged", "order filled", "order filled"),
    *("cancellation requested", "order canceled"),
]


@pytest.fixture(scope="module")
def told(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A bot whose order is filled in parts, and canceled."""
    folder: Path = tmp_path_factory.mktemp("bot")
    order, service = f"c-{uuid.uuid4().hex[:12]}", f"life-{uuid.uuid4().hex[:8]}"
    run = run_bot(
        folder,
        BOT.replace("sys.argv[1]", json.dumps(order)),
        OTEL_SERVICE_NAME=service,
        OTEL_EXPORTER_OTLP_ENDPOINT=stack.urls["otlp_http"],
    )
    assert run.returncode == 0, run.stderr
    return {"order": order, "service": service, "trace": run.stdout.strip()}


def test_loki_has_the_whole_life_by_client_order_id(stack: Stack, told: dict[str, str]) -> None:
    """Also what the venue told by its own id alone."""
    query = f'{{service_name="{told["service"]}"}} | trading_order_client_id="{told["order"]}"'
    lines = eventually(lambda: complete(Loki(stack.urls["loki"]).lines(query)))
    assert [line for line, _ in lines] == LIFE
    second = lines[3][1]
    assert second["trading_order_status"] == "partially_filled"
    assert second["trading_execution_liquidity"] == "added"
    assert float(second["trading_order_cumulative_quantity"]) == pytest.approx(0.3)
    assert float(second["trading_order_leaves_quantity"]) == pytest.approx(0.2)


def test_loki_has_it_by_trace_id(stack: Stack, told: dict[str, str]) -> None:
    """Every line of the order is a line of the tick's trace."""
    lines = eventually(lambda: complete(Loki(stack.urls["loki"]).lines_of_trace(told["trace"])))
    assert [line for line, _ in lines] == LIFE
    assert {labels["trading_order_client_id"] for _, labels in lines} == {told["order"]}


def test_jaeger_shows_an_order_that_was_filled_in_part(stack: Stack, told: dict[str, str]) -> None:
    """One span from submission to cancellation below the tick, with an event for each fill."""
    spans = eventually(lambda: both(Jaeger(stack.urls["jaeger_ui"]).spans(told["trace"])))
    [order] = [span for span in spans if span["operationName"] == "order"]
    [tick] = [span for span in spans if span["operationName"] == "tick_to_trade"]
    assert [reference["spanID"] for reference in order["references"]] == [tick["spanID"]]
    known = tags(order)
    assert known["trading.order.status"] == "canceled"
    assert known["trading.order.id"] == "V-7"
    assert known["trading.order.cumulative_quantity"] == pytest.approx(0.3)
    assert known["trading.order.average_price"] == pytest.approx((0.2 * 26999.5 + 0.1 * 26999.0) / 0.3)
    events = [{field["key"]: field["value"] for field in log["fields"]} for log in order["logs"]]
    fills = [event for event in events if event["event"] == "trading.order.filled"]
    assert [event["trading.order.status"] for event in fills] == ["partially_filled"] * 2
    assert [float(event["trading.execution.quantity"]) for event in fills] == [0.2, 0.1]
    assert [event["event"].rpartition(".")[2] for event in events] == [
        *("acknowledged", "filled", "filled", "cancel_requested", "canceled"),
    ]


def test_prometheus_counts_its_reports(stack: Stack, told: dict[str, str]) -> None:
    """By what they say, without any id."""
    query = f'sum by (trading_execution_type) (trading_execution_reports_total{{job="{told["service"]}"}})'
    found = eventually(lambda: Prometheus(stack.urls["prometheus"]).query(query))
    counts = {each["metric"]["trading_execution_type"]: float(each["value"][1]) for each in found}
    assert counts == {"new": 1, "trade": 2, "canceled": 1}


def complete(lines: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The lines once the last one has come."""
    return lines if len(lines) >= len(LIFE) else []


def both(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spans once both have come."""
    return spans if len(spans) > 1 else []
