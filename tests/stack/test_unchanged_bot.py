"""A ccxt bot that knows nothing of telemetry, seen in the real Prometheus, Jaeger and Loki."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.stack.backends import Jaeger, Loki, Prometheus
from tests.stack.sending import eventually
from tests.stack.test_native_metrics import instrumented
from tests.stack.test_native_traces import tags

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_trading.stack import Stack

pytestmark = pytest.mark.stack

BOT = """
import asyncio, json, sys, urllib.request
import ccxt.pro

url = "{url}"
venue = ccxt.pro.binance({{
    "apiKey": "paper-key", "secret": "paper-secret", "enableRateLimit": True,
    "options": {{"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {{"types": ["spot"]}}}},
}})
venue.has["fetchCurrencies"] = False
socket = url.replace("http", "ws", 1)
venue.urls["api"] = {{
    "public": url + "/api/v3", "private": url + "/api/v3",
    "ws": {{"spot": socket + "/stream/ws", "ws-api": {{"spot": socket + "/ws-api/v3"}}}},
}}

def start():
    request = urllib.request.Request(url + "/control/start", b'{{"wait_for": []}}')
    urllib.request.urlopen(request).read()

async def main():
    await venue.load_markets()
    watching = asyncio.create_task(venue.watch_trades("BTC/USDT"))
    orders = asyncio.create_task(venue.watch_orders("BTC/USDT"))
    await asyncio.to_thread(start)
    price = (await watching)[-1]["price"]
    for _ in range(20):
        await venue.watch_trades("BTC/USDT")
    filled = await venue.create_order(
        "BTC/USDT", "limit", "buy", 0.001, round(price * 1.02, 2), {{"clientOrderId": "{order}-1"}})
    await orders
    resting = await venue.create_order("BTC/USDT", "limit", "buy", 0.001, round(price * 0.9, 2))
    await venue.cancel_order(resting["id"], "BTC/USDT")
    try:
        await venue.create_order("BTC/USDT", "limit", "buy", 100, round(price, 2))
    except ccxt.BaseError as error:
        print(type(error).__name__)
    await asyncio.sleep(0.5)  # what the venue reports of the orders
    await venue.close()
    print(json.dumps([filled["id"], resting["id"]]))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def venue() -> Iterator[str]:
    """A simulated venue with a market that is made as it goes; its address."""
    command = [sys.executable, "-m", "otel_trading.demo.venue", "--speed", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["spot"]
        process.terminate()


@pytest.fixture(scope="module")
def told(stack: Stack, venue: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The bot has run under ``opentelemetry-instrument``."""
    folder: Path = tmp_path_factory.mktemp("bot")
    order, service = f"c{uuid.uuid4().hex[:12]}", f"unchanged-{uuid.uuid4().hex[:8]}"
    run = instrumented(
        folder,
        BOT.format(url=venue, order=order),
        OTEL_SERVICE_NAME=service,
        OTEL_EXPORTER_OTLP_ENDPOINT=stack.urls["otlp_http"],
        OTEL_TRADING_TRACES_RETENTION="all",
    )
    assert run.returncode == 0, run.stderr
    assert "not instrumented" not in run.stderr
    kind, ids = run.stdout.splitlines()
    return {"error": kind, "order": order, "service": service, "ids": json.loads(ids)}


def counts(stack: Stack, expression: str, label: str) -> dict[str, float]:
    """The values of an instant query, by one label."""
    found = eventually(lambda: Prometheus(stack.urls["prometheus"]).query(expression))
    return {each["metric"].get(label, ""): float(each["value"][1]) for each in found}


def test_prometheus_has_its_orders(stack: Stack, told: dict[str, Any]) -> None:
    """Three were submitted; one was filled, one canceled, one refused for its size."""
    job = f'{{job="{told["service"]}"}}'
    submitted = counts(
        stack, f"sum by (trading_venue_name) (trading_order_submissions_total{job})", "trading_venue_name"
    )
    assert submitted == {"binance": 3}
    by_type = f"sum by (trading_execution_type) (trading_execution_reports_total{job})"
    reports = counts(stack, by_type, "trading_execution_type")
    assert {"trade", "canceled", "rejected"} <= set(reports)
    assert (reports["canceled"], reports["rejected"]) == (1, 1)
    left = counts(stack, f"sum by (trading_venue_name) (trading_order_active{job})", "trading_venue_name")
    assert left == {"binance": 0}


def test_prometheus_has_its_calls_and_frames(stack: Stack, told: dict[str, Any]) -> None:
    """By operation, with the refused one apart; frames came, and their subscription is known."""
    job = f'job="{told["service"]}"'
    failed = f'sum by (error_type) (histogram_count(trading_venue_call_duration_seconds{{{job},error_type!=""}}))'
    assert counts(stack, failed, "error_type") == {told["error"]: 1}
    frames = f"sum by (network_io_direction) (trading_venue_messages_total{{{job}}})"
    seen = counts(stack, frames, "network_io_direction")
    assert seen["receive"] > 20
    assert seen["transmit"] >= 1
    trades = f'trading_market_data_messages_total{{{job},trading_market_data_type="trade"}}'
    data = counts(stack, f"sum by (trading_instrument_symbol) ({trades})", "trading_instrument_symbol")
    assert data["BTC/USDT"] >= 20


def test_jaeger_shows_the_order_and_the_request_that_made_it(stack: Stack, told: dict[str, Any]) -> None:
    """In one trace: the order's life, and the call on the wire."""
    query = f'{{service_name="{told["service"]}"}} | trading_order_client_id="{told["order"]}-1"'
    lines = eventually(lambda: Loki(stack.urls["loki"]).lines(query))
    trace = lines[0][1]["trace_id"]
    spans = eventually(lambda: several(Jaeger(stack.urls["jaeger_ui"]).spans(trace)))
    [order] = [span for span in spans if span["operationName"] == "order"]
    assert tags(order)["trading.order.status"] == "filled"
    [request] = [span for span in spans if span["operationName"] == "POST private/order"]
    assert [reference["spanID"] for reference in request["references"]] == [order["spanID"]]


def test_loki_has_the_order_s_life(stack: Stack, told: dict[str, Any]) -> None:
    """From submission to fill."""
    query = f'{{service_name="{told["service"]}"}} | trading_order_client_id="{told["order"]}-1"'
    lines = eventually(lambda: until_filled(Loki(stack.urls["loki"]).lines(query)))
    assert [line for line, _ in lines][:2] == ["order submitted", "order acknowledged"]


def several(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spans once the order is among them, and not alone."""
    return spans if len(spans) > 1 and any(span["operationName"] == "order" for span in spans) else []


def until_filled(lines: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """The lines once the fill is among them."""
    return lines if any(line == "order filled" for line, _ in lines) else []
