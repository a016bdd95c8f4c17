"""Requests: spans, durations, retries, waits, limits."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import ccxt
import ccxt.async_support
import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from otel_trading.instrument.ccxt import CcxtInstrumentor
from tests.instrument.ccxt_rest.running import Answer, async_client, sync_client, telling

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.testing import Captured
    from otel_trading.testing.metrics import CapturedMetric
    from tests.instrument.ccxt_rest.running import Running

TIME = "GET public/time"
OK = Answer(body='{"serverTime": 1700000000000}')
BUSY = Answer(503, "<html>try again</html>", {"Content-Type": "text/html"})


def call(kind: str, url: str, doing: Callable[[Any], Any], **config: Any) -> Any:
    """Have a client of a kind do something, and closed."""
    if kind == "sync":
        return doing(sync_client(url, **config))

    async def done() -> Any:
        exchange = async_client(url, **config)
        try:
            return await doing(exchange)
        finally:
            await exchange.close()

    return asyncio.run(done())


def measured(telemetry: Captured, name: str, operation: str = TIME, **attributes: Any) -> CapturedMetric:
    return telemetry.metrics[f"trading.venue.{name}"].where(
        {"trading.venue.name": "binance", "trading.operation.name": operation}, **attributes
    )


both = pytest.mark.parametrize("kind", ["sync", "async"])


@both
def test_a_call_is_a_span_and_two_durations(instrumented: Captured, kind: str) -> None:
    """One attempt: the call takes a little longer than the attempt; the span is a client's, with the status."""
    with telling(OK) as told:
        assert call(kind, told.url, lambda exchange: exchange.fetch_time()) == 1_700_000_000_000
    span = instrumented.traces.one(TIME)
    assert span.raw.kind == SpanKind.CLIENT
    assert span.attributes["http.response.status_code"] == 200
    assert span.attributes["trading.venue.name"] == "binance"
    whole, attempt = measured(instrumented, "call.duration"), measured(instrumented, "request.duration")
    assert (whole.count, attempt.count) == (1, 1)
    assert attempt.sum <= whole.sum <= span.duration * 1.5 + 0.001


@both
def test_retries_are_attempts_of_one_call(instrumented: Captured, kind: str) -> None:
    """Two failures and an answer: one call, three attempts, two retries, each by its error."""
    config = {"options": {"maxRetriesOnFailure": 3, "maxRetriesOnFailureDelay": 20}}
    with telling(BUSY, BUSY, OK) as told:
        call(kind, told.url, lambda exchange: exchange.fetch_time(), **config)
    assert len(told.requests) == 3
    assert measured(instrumented, "call.duration").count == 1
    failed = measured(instrumented, "request.duration", error_type="ExchangeNotAvailable")
    assert (failed.count, measured(instrumented, "request.duration").count) == (2, 3)
    assert measured(instrumented, "request.retries", error_type="ExchangeNotAvailable").value == 2
    assert measured(instrumented, "call.duration").sum >= 0.04
    assert measured(instrumented, "request.duration").sum < measured(instrumented, "call.duration").sum - 0.039
    span = instrumented.traces.one(TIME)
    assert span.attributes["http.request.resend_count"] == 2
    assert span.status == "UNSET"


@both
def test_the_error_is_ccxts_own_and_counts(instrumented: Captured, kind: str) -> None:
    """The class of the error is its type, the span failed, and a log line says what the venue said."""
    answer = Answer(400, '{"code": -1121, "msg": "Invalid symbol."}')
    with telling(answer) as told, pytest.raises(ccxt.BadSymbol) as raised:
        call(kind, told.url, lambda exchange: exchange.public_get_depth({"symbol": "NO"}))
    assert "Invalid symbol" in str(raised.value)
    for name in ("call.duration", "request.duration"):
        assert measured(instrumented, name, "GET public/depth", error_type="BadSymbol").count == 1
    span = instrumented.traces.one("GET public/depth")
    assert (span.attributes["error.type"], span.attributes["http.response.status_code"]) == ("BadSymbol", 400)
    line = instrumented.logs.one(event="trading.venue.request_completed")
    assert line.level == "WARNING"
    assert "Invalid symbol" in line.attributes["trading.event.text"]


@both
def test_no_answer_at_all(instrumented: Captured, kind: str) -> None:
    """Nobody listens: the attempt failed, there is no status, and no signature in what is told."""
    with telling() as told:
        url = told.url
    with pytest.raises(ccxt.NetworkError) as raised:
        call(kind, url, lambda exchange: exchange.private_get_account())
    assert "signature=" in str(raised.value)
    error = type(raised.value).__name__
    assert measured(instrumented, "call.duration", "GET private/account", error_type=error).count == 1
    span = instrumented.traces.one("GET private/account")
    assert "http.response.status_code" not in span.attributes
    signature = str(raised.value).partition("signature=")[2][:32]
    assert signature not in repr([span, *instrumented.logs])


@both
def test_lines_about_failures_are_few(instrumented: Captured, kind: str) -> None:
    """Of forty failures of a kind one line is written; the metrics have all."""

    def often(exchange: Any) -> Any:
        if kind == "sync":
            for _ in range(40):
                with pytest.raises(ccxt.BadSymbol):
                    exchange.public_get_depth()
            return None

        async def calls() -> None:
            for _ in range(40):
                with pytest.raises(ccxt.BadSymbol):
                    await exchange.public_get_depth()

        return calls()

    with telling(Answer(400, '{"code": -1121, "msg": "Invalid symbol."}')) as told:
        call(kind, told.url, often)
    assert measured(instrumented, "request.duration", "GET public/depth").count == 40
    assert len(instrumented.logs.where(event="trading.venue.request_completed")) == 1


@both
def test_the_wait_for_the_rate_limiter_is_apart(instrumented: Captured, kind: str) -> None:
    """Calls in a row wait for ccxt's own limiter: in the call's duration, not in the attempt's."""

    def thrice(exchange: Any) -> Any:
        if kind == "sync":
            return [exchange.fetch_time() for _ in range(3)]

        async def calls() -> None:
            for _ in range(3):
                await exchange.fetch_time()

        return calls()

    with telling(OK) as told:
        call(kind, told.url, thrice, enableRateLimit=True, rateLimit=1000)
    waits = measured(instrumented, "rate_limit.wait.duration")
    assert waits.count == 3
    assert waits.sum >= 0.2
    whole, attempts = measured(instrumented, "call.duration").sum, measured(instrumented, "request.duration").sum
    assert whole >= waits.sum + attempts - 0.001
    assert max(span.attributes.get("trading.rate_limit.wait", 0) for span in instrumented.traces) >= 0.1


@both
def test_limits_as_the_venue_tells_them(instrumented: Captured, kind: str) -> None:
    """Binance's headers by period, with the limits of exchangeInfo; the common headers give both."""
    declared = (
        '{"rateLimits": [{"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000}],'
        ' "symbols": []}'
    )
    usage = {"x-mbx-used-weight": "30", "x-mbx-used-weight-1m": "30", "x-mbx-order-count-10s": "4"}
    common = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "20"}
    with telling(
        Answer(body=declared), Answer(body=OK.body, headers=usage), Answer(body=OK.body, headers=common)
    ) as told:
        call(kind, told.url, lambda exchange: exchange.public_get_exchangeinfo())
        for _ in range(2):
            call(kind, told.url, lambda exchange: exchange.fetch_time())

    def of(name: str, limit: str) -> float:
        found = instrumented.metrics[f"trading.venue.rate_limit.{name}"]
        return found.where(trading_rate_limit_name=limit, trading_venue_name="binance").value

    assert of("usage", "request_weight_1m") == 30
    assert of("limit", "request_weight_1m") == 6000
    assert of("utilization.ratio", "request_weight_1m") == pytest.approx(0.005)
    assert of("usage", "orders_10s") == 4
    assert (of("usage", "requests"), of("limit", "requests"), of("utilization.ratio", "requests")) == (30, 50, 0.6)


@both
def test_a_refusal_is_told_with_its_wait(instrumented: Captured, kind: str) -> None:
    """Too many requests: the refusal counts each time, and the line says for how long to wait."""
    refusal = Answer(429, '{"code": -1003, "msg": "Too much request weight used"}', {"Retry-After": "7"})
    with telling(refusal) as told:
        for _ in range(3):
            with pytest.raises(ccxt.DDoSProtection):
                call(kind, told.url, lambda exchange: exchange.fetch_time())
    assert measured(instrumented, "rate_limit.refusals").value == 3
    line = instrumented.logs.one(event="trading.venue.rate_limited")
    assert line.attributes["trading.rate_limit.wait"] == 7


@both
def test_hooks_see_the_request_and_its_result(telemetry: Captured, kind: str) -> None:
    """The first may add to the span before anything is sent, the second knows the result, or the error."""
    seen: list[Any] = []

    def before(span: Any, exchange: Any, operation: str, params: Any) -> None:
        span.set_attribute("bot.symbol", params.get("symbol", "none"))
        seen.append((exchange.id, operation))

    def after(span: Any, exchange: Any, operation: str, result: Any, error: Any) -> None:
        seen.append((result, type(error).__name__))

    CcxtInstrumentor().instrument(request_hook=before, response_hook=after)
    try:
        with telling(Answer(body='{"bids": []}'), Answer(404, '{"code": -1121}')) as told:
            call(kind, told.url, lambda exchange: exchange.public_get_depth({"symbol": "BTCUSDT"}))
            with pytest.raises(ccxt.BadSymbol):
                call(kind, told.url, lambda exchange: exchange.public_get_depth({"symbol": "BTCUSDT"}))
    finally:
        CcxtInstrumentor().uninstrument()
    operation = ("binance", "GET public/depth")
    assert seen == [operation, ({"bids": []}, "NoneType"), operation, (None, "BadSymbol")]
    assert {span.attributes["bot.symbol"] for span in telemetry.traces} == {"BTCUSDT"}


@both
def test_objects_made_before_and_after(telemetry: Captured, kind: str) -> None:
    """An exchange that is older than its instrumentation is measured while that lasts, and so is a younger one."""
    with telling(OK) as told:
        url = told.url

        async def asked(exchange: Any) -> None:
            instrumentor = CcxtInstrumentor()
            younger = async_client(url)
            for doing in (instrumentor.instrument, instrumentor.uninstrument, instrumentor.instrument):
                doing()
                await exchange.fetch_time()
            await younger.fetch_time()
            instrumentor.uninstrument()
            await exchange.fetch_time()
            await younger.fetch_time()
            await younger.close()

        def asked_now(exchange: Any) -> None:
            instrumentor = CcxtInstrumentor()
            younger = sync_client(url)
            for doing in (instrumentor.instrument, instrumentor.uninstrument, instrumentor.instrument):
                doing()
                exchange.fetch_time()
            younger.fetch_time()
            instrumentor.uninstrument()
            exchange.fetch_time()
            younger.fetch_time()

        call(kind, url, asked if kind == "async" else asked_now)
        assert len(told.requests) == 6
    assert measured(telemetry, "call.duration").count == 3


def test_calls_at_once_are_told_apart(instrumented: Captured) -> None:
    """A hundred tasks on one exchange: each call has its own span with its own parent, and its own duration."""

    async def calls(exchange: Any) -> None:
        async def one(number: int) -> None:
            with instrumented.tracer.start_as_current_span(f"task {number}"):
                await exchange.fetch_time()
                assert trace.get_current_span().name == f"task {number}"  # type: ignore[attr-defined]

        await asyncio.gather(*map(one, range(100)))

    with telling(OK) as told:
        call("async", told.url, calls)
    spans = instrumented.traces.where(TIME)
    assert len(spans) == measured(instrumented, "call.duration").count == 100
    assert len({span.parent_id for span in spans}) == 100


def test_a_call_that_is_cancelled(instrumented: Captured) -> None:
    """It counts as cancelled, its span ends, and it is told without a word in the log."""

    async def given_up(exchange: Any) -> None:
        task = asyncio.ensure_future(exchange.fetch_time())
        while not told.requests:  # noqa: ASYNC110 - the server is on another thread
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert trace.get_current_span() is trace.INVALID_SPAN

    with telling(OK) as told:
        slow, told.next = told.next, lambda: time.sleep(0.3) or slow()  # type: ignore[method-assign,func-returns-value]
        call("async", told.url, given_up)
    assert measured(instrumented, "call.duration", error_type="CancelledError").count == 1
    assert instrumented.traces.one(TIME).attributes["error.type"] == "CancelledError"
    assert len(instrumented.logs) == 0


def test_requests_of_every_venue_come_this_way() -> None:
    """No exchange of ccxt's, of any of its modules, replaces what is measured."""
    import ccxt.prediction
    import ccxt.pro

    for module in (ccxt, ccxt.async_support, ccxt.pro, ccxt.prediction):
        for name in module.exchanges:
            kind = getattr(module, name)
            defining = [each for each in kind.__mro__ if {"fetch2", "fetch", "throttle"} & vars(each).keys()]
            assert {each.__module__ for each in defining} <= {
                "ccxt.base.exchange",
                "ccxt.async_support.base.exchange",
            }, name


def test_a_subclass_of_the_bots_is_measured_once(instrumented: Captured) -> None:
    """It overrides what is measured and calls what it overrides."""

    class Own(ccxt.binance):  # type: ignore[misc]
        def fetch2(self, *args: Any, **kwargs: Any) -> Any:
            return super().fetch2(*args, **kwargs)

        def fetch(self, *args: Any, **kwargs: Any) -> Any:
            return super().fetch(*args, **kwargs)

    with telling(OK) as told:
        sync_client(told.url, Own).fetch_time()
    assert measured(instrumented, "call.duration").count == measured(instrumented, "request.duration").count == 1


def test_names_of_operations_stay_few(instrumented: Captured) -> None:
    """A bot that puts ids into paths does not make a series of each; all calls are counted."""
    exchange = ccxt.binance({"enableRateLimit": False})
    exchange.fetch = lambda *_: {}  # nothing is sent
    for number in range(3_000):
        exchange.fetch2(f"order/{number}", ["public"], "GET", {})
    metric = instrumented.metrics["trading.venue.call.duration"]
    assert metric.count == 3_000
    assert len(metric.attributes) <= 520


def test_loading_markets_from_a_venue(instrumented: Captured, venues: Running) -> None:
    """Against the simulated venue: what it says of its limits is what telemetry says."""
    exchange = venues.sync()
    exchange.load_markets()
    exchange.fetch_order_book("BTC/USDT")
    usage = instrumented.metrics["trading.venue.rate_limit.usage"]
    assert usage.where(trading_rate_limit_name="request_weight_1m").value > 0
    share = instrumented.metrics["trading.venue.rate_limit.utilization.ratio"]
    assert 0 < share.where(trading_rate_limit_name="request_weight_1m").value < 1
