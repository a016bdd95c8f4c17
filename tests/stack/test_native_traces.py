"""Native spans on their way to a real Jaeger, beside those of instrumentations that know nothing of them."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.stack.backends import Jaeger, Prometheus
from tests.stack.sending import eventually
from tests.stack.test_native_metrics import instrumented, run_bot

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading.stack import Stack

pytestmark = pytest.mark.stack

BOT = """
import asyncio, json
from aiohttp import ClientSession, web
from opentelemetry import trace

tracer = trace.get_tracer("bot")
ids = []

async def order(request):
    if request.match_info["symbol"] == "NONE":
        raise web.HTTPBadRequest
    return web.json_response({"id": 1})

async def leg(session, url, symbol):
    with tracer.start_as_current_span("leg " + symbol):
        async with session.get(f"{url}/{symbol}") as answer:
            answer.raise_for_status()

def book(symbol):
    with tracer.start_as_current_span("book " + symbol):
        pass

async def patience():
    with tracer.start_as_current_span("patience"):
        await asyncio.Event().wait()

async def main():
    app = web.Application()
    app.router.add_get("/order/{symbol}", order)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}/order"
    async with ClientSession() as session:
        for number in range(20):
            with tracer.start_as_current_span("tick") as tick:
                ids.append(format(tick.get_span_context().trace_id, "032x"))
                legs = ["BTC", "NONE" if number % 5 == 0 else "ETH"]
                await asyncio.gather(*(leg(session, url, symbol) for symbol in legs), return_exceptions=True)
                await asyncio.to_thread(book, "BTC")
                try:
                    await asyncio.wait_for(patience(), 0.01)
                except asyncio.TimeoutError:
                    pass
    await runner.cleanup()

asyncio.run(main())
assert (type(tracer).__module__, type(tracer).__name__) == ("otel_trading._native", "Tracer")
print(json.dumps(ids))
"""


TRACED = {
    "OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE": "leg,patience",
    "OTEL_PYTHON_ASYNCIO_TO_THREAD_FUNCTION_NAMES_TO_TRACE": "book",
}
"""What asyncio's instrumentation makes spans of; it does not make them current."""

CLIENT = "GET /order/{symbol}"

TICK = [
    "tick",
    "tick/leg BTC",
    f"tick/leg BTC/{CLIENT}",
    "tick/asyncio coro-leg",
    "tick/asyncio coro-leg",
    "tick/book BTC",
    "tick/asyncio to_thread-book",
    "tick/patience",
    "tick/asyncio coro-patience",
]


def test_spans_of_bot_and_instrumentations_are_one_tree(stack: Stack, tmp_path: Path) -> None:
    """Client calls in tasks hang below the bot's legs, those below the tick; failures have their status and event.

    The tasks and threads are asyncio's own, instrumented by contrib, as is the client.
    """
    pytest.importorskip("opentelemetry.instrumentation.aiohttp_server")
    pytest.importorskip("opentelemetry.instrumentation.asyncio")
    service = f"legs-{uuid.uuid4().hex[:8]}"
    where = {"OTEL_SERVICE_NAME": service, "OTEL_EXPORTER_OTLP_ENDPOINT": stack.urls["otlp_http"]}
    run = instrumented(tmp_path, BOT, **where, **TRACED)
    assert run.returncode == 0, run.stderr
    jaeger = Jaeger(stack.urls["jaeger_ui"])
    for number, trace_id in enumerate(json.loads(run.stdout)):
        spans = eventually(lambda trace_id=trace_id: whole(jaeger.spans(trace_id)))  # type: ignore[misc]
        failing = number % 5 == 0
        second = "NONE" if failing else "ETH"
        assert sorted(path(span, spans) for span in spans) == sorted(
            [*TICK, f"tick/leg {second}", f"tick/leg {second}/{CLIENT}"]
        )
        broken = [span for span in spans if tags(span).get("otel.status_code") == "ERROR"]
        assert sorted(span["operationName"] for span in broken) == (
            [CLIENT, "asyncio coro-leg", "leg NONE"] if failing else []
        )
        if failing:
            (leg,) = [span for span in spans if span["operationName"] == "leg NONE"]
            fields = {field["key"]: field["value"] for log in leg["logs"] for field in log["fields"]}
            assert fields["exception.type"] == "aiohttp.client_exceptions.ClientResponseError"


def whole(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The spans once the root has come."""
    return spans if any(span["operationName"] == "tick" for span in spans) else []


def path(span: dict[str, Any], spans: list[dict[str, Any]]) -> str:
    """The names from the root to a span; a missing parent has none."""
    names = [span["operationName"]]
    while span["references"]:
        (reference,) = span["references"]
        (span,) = [each for each in spans if each["spanID"] == reference["spanID"]]
        names.insert(0, span["operationName"])
    return "/".join(names)


def tags(span: dict[str, Any]) -> dict[str, Any]:
    """A span's attributes by name."""
    return {tag["key"]: tag["value"] for tag in span["tags"]}


TICKS = 3_000
BUSY = f"""
import json, time
import otel_trading as ot
from opentelemetry.trace import StatusCode

telemetry = ot.configure(traces_budget=300, banner=False, ops_enabled=False, runtime_enabled=False)
tracer = telemetry.tracer
special = {{"failed": [], "rejected": [], "over_budget": [], "marked": []}}
for number in range({TICKS}):
    with telemetry.tick_to_trade("BTC/USDT", budget=0.05) as tick:
        with tracer.start_as_current_span("decide"):
            tracer.start_span("order").end()
        why = {{100: "failed", 200: "rejected", 300: "over_budget", 400: "marked"}}.get(number % 500)
        if why == "failed":
            tick.set_status(StatusCode.ERROR, "no funds")
        elif why == "rejected":
            tick.set_attribute("trading.order.reject_reason", "insufficient_funds")
        elif why == "over_budget":
            time.sleep(0.06)
        elif why == "marked":
            tick.keep()
        if number % 10 == 0:
            time.sleep(0.01)
        if why:
            special[why].append(format(tick.get_span_context().trace_id, "032x"))
telemetry.shutdown()
account = telemetry.status().signals["traces"]
print(json.dumps({{"special": special, "sent": account.sent, "lost": account.lost}}))
"""


def test_above_the_budget_jaeger_has_what_matters_whole_and_weights_for_the_rest(stack: Stack, tmp_path: Path) -> None:
    """Prometheus knows how many spans there were: durations are counted before anything is left out."""
    service = f"busy-{uuid.uuid4().hex[:8]}"
    run = run_bot(tmp_path, BUSY, OTEL_SERVICE_NAME=service, OTEL_EXPORTER_OTLP_ENDPOINT=stack.urls["otlp_http"])
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    special = {trace_id: why for why, ids in told["special"].items() for trace_id in ids}
    prometheus = Prometheus(stack.urls["prometheus"])
    series = f'histogram_count(trading_span_duration_seconds{{job="{service}",span_name="tick_to_trade"}})'
    counted = eventually(lambda: prometheus.query(f"sum({series})"))
    assert float(counted[0]["value"][1]) == TICKS

    jaeger = Jaeger(stack.urls["jaeger_ui"])
    traces = eventually(lambda: found(jaeger, service, told["sent"]))
    assert told["lost"] == 0
    assert {trace_id for trace_id in special if trace_id not in traces} == set()
    assert {tuple(sorted(path(span, spans) for span in spans)) for spans in traces.values()} == {
        ("tick_to_trade", "tick_to_trade/decide", "tick_to_trade/decide/order")
    }
    roots = {trace_id: span for trace_id, spans in traces.items() for span in spans if not span["references"]}
    assert {trace_id: tags(roots[trace_id])["trading.trace.kept"] for trace_id in special} == special
    weights = [weight(root) for root in roots.values()]
    assert len(weights) < TICKS
    error = sum(each * (each - 1) for each in weights) ** 0.5
    assert abs(sum(weights) - TICKS) < 4 * error + 1e-6


def found(jaeger: Jaeger, service: str, spans: int) -> dict[str, list[dict[str, Any]]]:
    """The spans of a service by trace, once there are so many."""
    answer = jaeger.get("/api/traces", {"service": service, "limit": str(TICKS), "lookback": "1h"})
    traces = {each["traceID"].rjust(32, "0"): each["spans"] for each in answer["data"]}
    return traces if sum(map(len, traces.values())) == spans else {}


def weight(root: dict[str, Any]) -> float:
    """How many traces a kept one stands for."""
    state = tags(root).get("w3c.tracestate", "")
    threshold = next((part[3:] for part in state.removeprefix("ot=").split(";") if part.startswith("th:")), "0")
    return 1 / (1 - int(threshold.ljust(14, "0"), 16) / 2**56)
