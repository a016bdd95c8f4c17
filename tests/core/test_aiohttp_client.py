from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web

if TYPE_CHECKING:
    import subprocess
    from collections.abc import AsyncIterator, Callable

    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver


class Venue:
    """A venue that remembers the headers it was sent."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        """Take an order, or refuse it."""
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return web.json_response({"orderId": 1}, status=400 if "reject" in request.query else 200)


@pytest.fixture
async def venue() -> AsyncIterator[Venue]:
    """A venue on loopback."""
    running = Venue()
    application = web.Application()
    application.router.add_post("/api/v3/order", running.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    running.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield running
    await runner.cleanup()


async def post(url: str) -> int:
    """Send one request with a client session made now."""
    async with aiohttp.ClientSession() as session, session.post(url) as response:
        return response.status


async def test_call_is_a_span_without_secrets(configured: Configure, receiver: OtlpReceiver, venue: Venue) -> None:
    """Path and status are there, the query with key and signature is not, and the venue sees no trace header."""
    handle = configured()
    with handle.tracer.start_as_current_span("order_execution"):
        assert await post(f"{venue.url}/api/v3/order?apiKey=k3y&signature=abc") == 200
    assert handle.flush(5)
    call, parent = receiver.spans
    attributes = {attribute.key: attribute.value.string_value for attribute in call.attributes}
    assert attributes["url.full"] == f"{venue.url}/api/v3/order"
    assert call.parent_span_id == parent.span_id
    assert not {"traceparent", "tracestate", "baggage"} & set(venue.headers[0])
    sent = b"".join(request.SerializeToString() for _, request in receiver.requests)
    assert b"k3y" not in sent
    assert b"signature=" not in sent


async def test_duration_is_in_seconds_and_the_stable_conventions(
    configured: Configure, receiver: OtlpReceiver, venue: Venue
) -> None:
    """http.client.request.duration counts both calls, with the status of each."""
    handle = configured()
    await post(f"{venue.url}/api/v3/order")
    await post(f"{venue.url}/api/v3/order?reject=1")
    assert handle.flush(5)
    metric = receiver.metrics("http.client.request.duration")[-1]
    assert metric.unit == "s"
    points = metric.exponential_histogram.data_points
    statuses = {
        attribute.value.int_value
        for point in points
        for attribute in point.attributes
        if attribute.key == "http.response.status_code"
    }
    assert statuses == {200, 400}
    assert all(0 < point.sum < 5 for point in points)


async def test_shutdown_takes_the_instrumentation_back(
    configured: Configure, receiver: OtlpReceiver, venue: Venue
) -> None:
    """After shutdown, and with instrument=none, calls leave no span."""
    handle = configured()
    assert handle.shutdown(5)
    await post(f"{venue.url}/api/v3/order")
    handle = configured(instrument="none")
    await post(f"{venue.url}/api/v3/order")
    assert handle.flush(5)
    assert receiver.spans == []


def test_it_costs_nothing_until_it_is_used(bot: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """configure() imports no aiohttp; when the bot does, its client is instrumented."""
    run = bot(
        "import sys\n"
        "import otel_trading as ot\n"
        "ot.configure(ops_enabled=False, banner=False)\n"
        "print('aiohttp' in sys.modules)\n"
        "import aiohttp\n"
        "from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor\n"
        "print(AioHttpClientInstrumentor().is_instrumented_by_opentelemetry)\n",
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
    )
    assert run.stdout.split() == ["False", "True"], run.stderr


@pytest.mark.parametrize("other", ["aiohttp", "aiohttp.web", "opentelemetry.instrumentation.aiohttp_client"])
def test_threads_that_import_it_together_all_get_it_instrumented(
    other: str, bot: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The ops server and the bot import aiohttp at the same time, and somebody the instrumentation itself."""
    run = bot(
        "import importlib, sys, threading\n"
        "import otel_trading as ot\n"
        "sys.setswitchinterval(1e-5)\n"
        "ot.configure(ops_port=0, banner=False)\n"
        f"thread = threading.Thread(target=importlib.import_module, args=({other!r},))\n"
        "thread.start()\n"
        "import aiohttp\n"
        "thread.join(30)\n"
        "print(hasattr(aiohttp.ClientSession.__init__, '__wrapped__'))\n",
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
    )
    assert run.stdout.split() == ["True"], run.stderr
    assert "not instrumented" not in run.stderr
