"""What is told of a request is the same whatever library makes it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import requests
from opentelemetry import trace

from otel_trading.instrument import reporting
from otel_trading.instrument.http import (
    AiohttpClientInstrumentor,
    HttpxInstrumentor,
    RequestsInstrumentor,
    Urllib3Instrumentor,
)
from otel_trading.testing import capture
from tests.instrument.http.clients import CLIENTS, Client, with_aiohttp, with_requests
from tests.instrument.http.server import Venue, nobody, venue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.testing import Captured

DURATION = "http.client.request.duration"
SECRETS = "/api/v3/orders/7781?symbol=BTCUSDT&apiKey=k3y&signature=5f2c9a"


@pytest.fixture(params=["native", "sdk"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """Captured, on each engine."""
    with capture(engine=request.param, real_time=True) as captured:
        yield captured


@pytest.fixture
def asked() -> Iterator[Venue]:
    """A venue on loopback."""
    with venue() as running:
        yield running


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest, telemetry: Captured) -> Iterator[Client]:
    """An instrumented library."""
    made: Client = request.param
    made.instrumentor().instrument()
    yield made
    made.instrumentor().uninstrument()


def again(client: Client, **options: Any) -> None:
    """Instrument it with options."""
    client.instrumentor().uninstrument()
    client.instrumentor().instrument(**options)


def test_a_request_is_a_span_without_secrets(client: Client, telemetry: Captured, asked: Venue) -> None:
    """Method, template and server are there; query, fragment and credentials are not."""
    assert client.ask("GET", f"{asked.url.replace('//', '//me:pw@')}{SECRETS}#top") == [200]
    span = telemetry.traces.one("GET /api/v3/orders/{id}")
    told = {key: span.attributes[key] for key in ("url.full", "url.template", "server.address", "server.port")}
    assert told == {
        "url.full": f"{asked.url}/api/v3/orders/7781",
        "url.template": "/api/v3/orders/{id}",
        "server.address": "127.0.0.1",
        "server.port": asked.port,
    }
    assert span.attributes["http.request.method"] == "GET"
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["network.protocol.version"] == "1.1"
    assert "network.peer.address" not in span.attributes
    assert span.status == "UNSET"
    assert "k3y" not in repr(span.raw.to_json())
    assert span.raw.kind is trace.SpanKind.CLIENT


def test_the_duration_has_the_same_attributes(client: Client, telemetry: Captured, asked: Venue) -> None:
    """One series a method, server, template and outcome, in seconds."""
    client.ask("POST", f"{asked.url}{SECRETS}&status=200")
    client.ask("POST", f"{asked.url}/api/v3/orders/9902?status=429")
    metric = telemetry.metrics[DURATION]
    assert metric.unit == "s"
    common = {
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "server.port": asked.port,
        "url.template": "/api/v3/orders/{id}",
        "network.protocol.version": "1.1",
    }
    assert sorted((dict(point.attributes) for point in metric.points), key=len) == [
        {**common, "http.response.status_code": 200},
        {**common, "http.response.status_code": 429, "error.type": "429"},
    ]
    assert 0 < metric.sum < 30
    assert [span.status for span in telemetry.traces] == ["UNSET", "ERROR"]


def test_a_failed_request_is_measured(client: Client, telemetry: Captured, asked: Venue) -> None:
    """With the kind of error; its message, which has the URL, is nowhere."""
    with pytest.raises(client.error):
        client.ask("GET", f"{nobody()}{SECRETS}")
    [point] = telemetry.metrics[DURATION].points
    kind = client.error.__qualname__
    assert point.attributes["error.type"] == kind
    assert "http.response.status_code" not in point.attributes
    [span] = telemetry.traces
    assert (span.status, span.attributes["error.type"], span.events) == ("ERROR", kind, ())
    assert span.raw.status.description is not None
    assert span.raw.status.description.startswith(kind)
    assert not {"k3y", "5f2c9a"} & set(repr(span.raw.to_json()).replace("=", " ").replace("&", " ").split())


def test_venues_are_sent_no_trace_headers(client: Client, telemetry: Captured, asked: Venue) -> None:
    """Unless the host is one of those that may have them."""
    with telemetry.tracer.start_as_current_span("tick"):
        client.ask("GET", f"{asked.url}/time")
    assert not {"traceparent", "tracestate", "baggage"} & set(asked.headers)
    again(client, trace_hosts=["localhost"])
    with telemetry.tracer.start_as_current_span("tick"):
        client.ask("GET", f"{asked.named}/time")
    sent = asked.headers["traceparent"]
    assert sent.split("-")[2] == telemetry.traces[-2].span_id
    with telemetry.tracer.start_as_current_span("tick"):
        client.ask("GET", f"{asked.url}/time")
    assert "traceparent" not in asked.headers


def test_what_the_bot_sends_goes_along(client: Client, telemetry: Captured, asked: Venue) -> None:
    """Headers of the request are left as they are."""
    client.ask("GET", f"{asked.url}/time", headers={"X-MBX-APIKEY": "k3y"})
    assert asked.headers["x-mbx-apikey"] == "k3y"


def test_the_span_has_its_place(client: Client, telemetry: Captured, asked: Venue) -> None:
    """It is a child of the current one, which is current again afterwards."""
    with telemetry.tracer.start_as_current_span("tick") as tick:
        client.ask("GET", f"{asked.url}/time")
        assert trace.get_current_span().get_span_context() == tick.get_span_context()
    call, parent = telemetry.traces
    assert (call.name, call.parent_id, call.trace_id) == ("GET /time", parent.span_id, parent.trace_id)


def test_hooks_see_span_and_answer(client: Client, telemetry: Captured, asked: Venue) -> None:
    """As contrib calls them; what they set is told, URLs without secrets."""

    def set_up(span: Any, *_: Any) -> None:
        span.set_attribute("bot.strategy", "basis")
        span.set_attribute("url.full", f"{asked.url}/orders?signature=5f2c9a")

    def look(span: Any, *_: Any) -> None:
        assert span.is_recording()
        span.update_name("order")

    async def set_up_async(span: Any, *given: Any) -> None:
        set_up(span, *given)

    async def look_async(span: Any, *given: Any) -> None:
        look(span, *given)

    if client.asynchronous:
        again(client, async_request_hook=set_up_async, async_response_hook=look_async)
    else:
        again(client, request_hook=set_up, response_hook=look)
    client.ask("GET", f"{asked.url}/time")
    span = telemetry.traces.one("order")
    assert span.attributes["bot.strategy"] == "basis"
    assert span.attributes["url.full"] == f"{asked.url}/orders"


def test_coroutine_hooks_that_raise_do_no_harm(telemetry: Captured, asked: Venue) -> None:
    """Like any other hook."""
    [client] = [each for each in CLIENTS if each.asynchronous]

    async def broken(*_: Any) -> None:
        raise LookupError("a hook of the bot's")

    client.instrumentor().instrument(async_request_hook=broken, async_response_hook=broken)
    try:
        assert client.ask("GET", f"{asked.url}/time", 3) == [200] * 3
    finally:
        client.instrumentor().uninstrument()
    assert telemetry.metrics[DURATION].count == 3


def test_the_template_can_be_the_bots(client: Client, telemetry: Captured, asked: Venue) -> None:
    """A function gives it; where it gives none, or fails, the kit finds one."""

    def template(url: str) -> str | None:
        assert "?" not in url
        return {"a": "/things/{thing}", "b": None}[url.rpartition("/")[2]]

    again(client, url_template=template)
    for thing in ("a?x=1", "b", "c"):
        client.ask("GET", f"{asked.url}/things/{thing}")
    assert [span.name for span in telemetry.traces] == ["GET /things/{thing}", "GET /things/b", "GET /things/c"]


def test_templates_are_few(telemetry: Captured, asked: Venue) -> None:
    """However many paths there are."""
    [client] = [each for each in CLIENTS if each.name == "urllib3"]
    client.instrumentor().instrument()
    name = "".join
    urls = [f"{asked.url}/{name(chr(97 + int(digit)) for digit in str(number))}" for number in range(1000, 1230)]
    for url in urls:
        client.ask("GET", url)
    client.instrumentor().uninstrument()
    series = telemetry.metrics[DURATION].points
    assert len(series) == 201
    assert telemetry.metrics[DURATION].where(url_template="/{path}").count == 30


def test_metrics_are_the_same_without_traces(client: Client, telemetry: Captured, asked: Venue) -> None:
    """Status and kind of error are there, too."""
    telemetry.handle.tracer_provider.enabled = False
    client.ask("GET", f"{asked.url}/time?status=503")
    with pytest.raises(client.error):
        client.ask("GET", nobody())
    assert len(telemetry.traces) == 0
    errors = {point.attributes.get("error.type") for point in telemetry.metrics[DURATION].points}
    assert errors == {"503", client.error.__qualname__}


def test_one_request_counts_once_through_two_libraries(telemetry: Captured, asked: Venue) -> None:
    """requests asks urllib3."""
    RequestsInstrumentor().instrument()
    Urllib3Instrumentor().instrument()
    try:
        with_requests("GET", f"{asked.url}/time", 5)
    finally:
        Urllib3Instrumentor().uninstrument()
        RequestsInstrumentor().uninstrument()
    assert telemetry.metrics[DURATION].count == 5
    assert len(telemetry.traces) == 5


def test_objects_made_before_are_instrumented(telemetry: Captured, asked: Venue) -> None:
    """A session of aiohttp, with trace configurations of the bot's own; and no longer when it is taken back."""
    seen: list[str] = []

    async def own(_: Any, __: Any, params: Any) -> None:
        seen.append(str(params.url))

    async def ask() -> None:
        config = aiohttp.TraceConfig()
        config.on_request_start.append(own)
        configs = [config]
        async with aiohttp.ClientSession(trace_configs=configs) as session:
            for instrumented in (True, True, False):
                if instrumented:
                    AiohttpClientInstrumentor().instrument()
                for _ in range(2):
                    async with session.get(f"{asked.url}/time"):
                        pass
                if instrumented:
                    AiohttpClientInstrumentor().uninstrument()
        assert configs == [config]

    asyncio.run(ask())
    assert len(seen) == 6
    assert telemetry.metrics[DURATION].count == 4


def test_a_session_outlives_the_instrumentation(telemetry: Captured, asked: Venue) -> None:
    """One that was made while it was on leaves no span afterwards, nor two when it is on again."""

    async def ask() -> None:
        AiohttpClientInstrumentor().instrument()
        async with aiohttp.ClientSession() as session:
            AiohttpClientInstrumentor().uninstrument()
            async with session.get(f"{asked.url}/off"):
                pass
            AiohttpClientInstrumentor().instrument()
            async with session.get(f"{asked.url}/on"):
                pass
            AiohttpClientInstrumentor().uninstrument()

    asyncio.run(ask())
    assert [span.name for span in telemetry.traces] == ["GET /on"]


def test_redirections(client: Client, telemetry: Captured, asked: Venue) -> None:
    """Part of the request before with aiohttp and requests, else requests of their own, where they are followed."""
    client.ask("GET", f"{asked.url}/old?status=302")
    told = {"urllib3": ["GET /old", "GET /moved"]}.get(client.name, ["GET /old"])
    assert [span.name for span in telemetry.traces] == told
    assert telemetry.metrics[DURATION].count == len(told)
    followed = not client.name.startswith("httpx")  # which does so when it is asked to
    assert len(asked.asked) == 1 + followed


def test_a_cancelled_request_is_measured(telemetry: Captured) -> None:
    """Its span ends, and its kind of error is that of the cancellation."""

    async def ask() -> None:
        reached, left = asyncio.Event(), asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            reached.set()
            await reader.read()
            writer.close()
            left.set()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/slow"
        async with aiohttp.ClientSession() as session:
            task = asyncio.ensure_future(session.get(url))
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await left.wait()
        server.close()
        await server.wait_closed()

    AiohttpClientInstrumentor().instrument()
    try:
        asyncio.run(ask())
    finally:
        AiohttpClientInstrumentor().uninstrument()
    assert telemetry.metrics[DURATION].where(error_type="CancelledError").count == 1
    assert [span.status for span in telemetry.traces] == ["ERROR"]


def test_contribs_own_stays_as_the_bot_set_it_up(telemetry: Captured, asked: Venue) -> None:
    """With its own span names, and it is not taken back by us."""
    from opentelemetry.instrumentation.requests import RequestsInstrumentor as Contribs

    Contribs().instrument(tracer_provider=telemetry.handle.tracer_provider)
    try:
        RequestsInstrumentor().instrument()
        requests.get(f"{asked.url}/time", timeout=30)
        RequestsInstrumentor().uninstrument()
        assert Contribs().is_instrumented_by_opentelemetry
    finally:
        Contribs().uninstrument()
    assert [span.name for span in telemetry.traces] == ["GET"]


def test_hosts_of_the_settings_are_sent_trace_headers(
    telemetry: Captured, asked: Venue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nothing else is said."""
    said = reporting.reporting({})
    said.trace_hosts = ("localhost",)
    monkeypatch.setattr(reporting, "_current", lambda: said)
    HttpxInstrumentor().instrument()
    AiohttpClientInstrumentor().instrument()
    try:
        for client in CLIENTS[:3]:
            client.ask("GET", f"{asked.named}/time")
            assert "traceparent" in asked.headers
    finally:
        HttpxInstrumentor().uninstrument()
        AiohttpClientInstrumentor().uninstrument()


def test_durations_below_a_millisecond_have_buckets(telemetry: Captured, asked: Venue) -> None:
    """Also where buckets are explicit: the first boundaries are microseconds."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader

    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    AiohttpClientInstrumentor().instrument(meter_provider=provider)
    try:
        with_aiohttp("GET", f"{asked.url}/time")
    finally:
        AiohttpClientInstrumentor().uninstrument()
    data = reader.get_metrics_data()
    assert data is not None
    [metric] = data.resource_metrics[0].scope_metrics[0].metrics
    point = metric.data.data_points[0]
    assert isinstance(point, HistogramDataPoint)
    assert sum(bound <= 0.001 for bound in point.explicit_bounds) >= 3
    assert point.explicit_bounds[-1] >= 10
    provider.shutdown()


@pytest.mark.parametrize("first", ["import otel_trading.instrument.ccxt", "pass"])
def test_the_stable_names_hold_whatever_is_instrumented_first(first: str) -> None:
    """Contrib reads its choice with the first instrumentation of all."""
    program = f"""
{first}
import asyncio
import otel_trading as ot
ot.configure(instrument="asyncio,requests", banner=False, ops_enabled=False, traces_exporter="none",
             metrics_exporter="none", logs_exporter="none")
import requests
from opentelemetry.instrumentation import _semconv as s
signal = s._OpenTelemetryStabilitySignalType.HTTP
print(s._OpenTelemetrySemanticConventionStability._get_opentelemetry_stability_opt_in_mode(signal).name)
from otel_trading.instrument.http import RequestsInstrumentor
print(RequestsInstrumentor().is_instrumented_by_opentelemetry)
"""
    run = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=120)
    assert run.stdout.split() == ["HTTP", "True"], run.stderr


def test_the_bots_own_conventions_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the environment says which."""
    from opentelemetry.instrumentation import _semconv as semconv

    from otel_trading.instrument.http.stability import choose_conventions

    stability = semconv._OpenTelemetrySemanticConventionStability
    signal = semconv._OpenTelemetryStabilitySignalType.HTTP
    monkeypatch.setattr(stability, "_initialized", False)
    monkeypatch.setattr(stability, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http/dup")
    choose_conventions()
    mode: Callable[[Any], Any] = stability._get_opentelemetry_stability_opt_in_mode
    assert mode(signal) is semconv._StabilityMode.HTTP_DUP
