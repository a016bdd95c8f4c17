"""Requests of ccxt's: a span and two durations for each call, however many attempts it takes."""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from functools import wraps
from time import perf_counter
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import SpanKind, StatusCode

from otel_trading.imports import when_imported
from otel_trading.instrument.ccxt.errors import text_of, too_many
from otel_trading.instrument.ccxt.levels import Levels
from otel_trading.instrument.ccxt.limits import Limits
from otel_trading.instrument.hooks import guarded
from otel_trading.runtime.voice import Voice
from otel_trading.settings.complaints import Complaints
from otel_trading.trading.bound import bound
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from types import ModuleType

    from opentelemetry.trace import Span

    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting

SYNC, ASYNC = "ccxt.base.exchange", "ccxt.async_support.base.exchange"
"""The modules whose ``Exchange`` all exchanges come from."""
_OPERATIONS = 512
"""Endpoints of all venues that are told apart; ccxt knows some hundred of each venue."""
_ERRORS = 64
"""Kinds of errors of an endpoint that are told apart."""
_NOTABLE_WAIT = 0.001
"""Seconds that a request has to wait for ccxt's rate limiter for its span to say so."""

_current: ContextVar[_Call | None] = ContextVar("otel_trading_ccxt_request", default=None)


def patch(patches: Patches, said: Reporting, given: Mapping[str, Any]) -> None:
    """Measure the requests of all exchanges, of ccxt's modules as they are imported."""
    requests = Requests(said, given)
    answers = Levels(patches, {"on_rest_response": requests.answer})
    patches.afterwards(when_imported(SYNC, lambda module: answers.cover_used(module.Exchange.__mro__[-2])))
    for name in (SYNC, ASYNC):
        patches.afterwards(when_imported(name, lambda module: _patch_module(patches, module, requests)))


def owner_of(module: ModuleType, method: str) -> Any:  # noqa: ANN401 - a class of ccxt's
    """The class that defines a method for the exchanges of a module: older ccxt has but one."""
    exchange = module.Exchange
    return next((kind for kind in exchange.__mro__ if method in vars(kind)), exchange)


def _patch_module(patches: Patches, module: ModuleType, requests: Requests) -> None:
    for method, replacement in (
        ("fetch2", requests.call),
        ("fetch", requests.attempt),
        ("throttle", requests.throttle),
    ):
        owner = owner_of(module, method)
        if owner.__module__ == module.__name__:
            patches.wrap(owner, method, replacement)


class Requests:
    """Measures requests. What fails here is said once; the request goes on."""

    def __init__(self, said: Reporting, given: Mapping[str, Any]) -> None:
        self._trading = said.trading
        self._tracer = said.tracer
        self._calls = create(said.meter, "trading.venue.call.duration")
        self._attempts = create(said.meter, "trading.venue.request.duration")
        self._retries = create(said.meter, "trading.venue.request.retries")
        self._waits = create(said.meter, "trading.venue.rate_limit.wait.duration")
        self._refusals = create(said.meter, "trading.venue.rate_limit.refusals")
        self._limits = Limits(said)
        self._request_hook = guarded(given.get("request_hook"), "request_hook of ccxt")
        self._response_hook = guarded(given.get("response_hook"), "response_hook of ccxt")
        self._operations: dict[Any, _Operation] = {}
        self._voice = Voice()
        self._complaints = Complaints("requests of ccxt")

    def call(self, original: Any) -> Any:  # noqa: ANN401 - a method of ccxt's
        """Instead of ``fetch2``: one call of the venue's API."""
        if inspect.iscoroutinefunction(original):

            @wraps(original)
            async def fetch2(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
                call = self._begin(exchange, args, kwargs)
                if call is None:
                    return await original(exchange, *args, **kwargs)
                try:
                    result = await original(exchange, *args, **kwargs)
                except BaseException as error:
                    self._end(call, None, error)
                    raise
                self._end(call, result, None)
                return result

            return fetch2

        @wraps(original)
        def fetch2_now(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            call = self._begin(exchange, args, kwargs)
            if call is None:
                return original(exchange, *args, **kwargs)
            try:
                result = original(exchange, *args, **kwargs)
            except BaseException as error:
                self._end(call, None, error)
                raise
            self._end(call, result, None)
            return result

        return fetch2_now

    def attempt(self, original: Any) -> Any:  # noqa: ANN401
        """Instead of ``fetch``: one attempt on the wire, with its answer's parsing."""
        if inspect.iscoroutinefunction(original):

            @wraps(original)
            async def fetch(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
                call = _of(exchange)
                if call is None:
                    return await original(exchange, *args, **kwargs)
                began = self._sent(call)
                try:
                    result = await original(exchange, *args, **kwargs)
                except BaseException as error:
                    self._failed(call, began, error)
                    raise
                call.operation.answered(perf_counter() - began)
                return result

            return fetch

        @wraps(original)
        def fetch_now(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            call = _of(exchange)
            if call is None:
                return original(exchange, *args, **kwargs)
            began = self._sent(call)
            try:
                result = original(exchange, *args, **kwargs)
            except BaseException as error:
                self._failed(call, began, error)
                raise
            call.operation.answered(perf_counter() - began)
            return result

        return fetch_now

    def throttle(self, original: Any) -> Any:  # noqa: ANN401
        """Instead of ``throttle``: the wait for ccxt's own rate limiter."""
        if inspect.iscoroutinefunction(original):

            @wraps(original)
            async def throttle(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
                call = _of(exchange)
                if call is None:
                    return await original(exchange, *args, **kwargs)
                began = perf_counter()
                try:
                    return await original(exchange, *args, **kwargs)
                finally:
                    call.waited = perf_counter() - began
                    call.operation.waited(call.waited)

            return throttle

        @wraps(original)
        def throttle_now(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            call = _of(exchange)
            if call is None:
                return original(exchange, *args, **kwargs)
            began = perf_counter()
            try:
                return original(exchange, *args, **kwargs)
            finally:
                call.waited = perf_counter() - began
                call.operation.waited(call.waited)

        return throttle_now

    def answer(self, original: Any) -> Any:  # noqa: ANN401
        """Instead of ``on_rest_response``, where the headers of an answer are seen."""

        @wraps(original)
        def on_rest_response(exchange: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            call = _of(exchange)
            if call is not None:
                self._answered(call, args)
            return original(exchange, *args, **kwargs)

        return on_rest_response

    def _begin(self, exchange: Any, args: Any, kwargs: Any) -> _Call | None:  # noqa: ANN401 - as ccxt calls it
        """A call begins; ``None`` when nobody wants to know."""
        if not is_instrumentation_enabled():
            return None
        try:
            operation = self._operation(exchange, args, kwargs)
            call = _Call(
                exchange,
                operation,
                self._tracer.start_as_current_span(
                    operation.name,
                    kind=SpanKind.CLIENT,
                    attributes=operation.attributes,
                    record_exception=False,
                    set_status_on_exception=False,
                ),
            )
            if self._request_hook is not None:
                self._request_hook(call.span, exchange, operation.name, _argument(args, kwargs, 3, "params"))
        except Exception as error:
            self._complain(error)
            return None
        return call

    def _end(self, call: _Call, result: Any, error: BaseException | None) -> None:  # noqa: ANN401
        try:
            took = perf_counter() - call.began
            operation, span = call.operation, call.span
            if error is None:
                operation.called(took)
            else:
                operation.failing(type(error).__name__)[1](took)
            if span.is_recording():
                call.describe(error)
            if self._response_hook is not None:
                self._response_hook(span, call.exchange, operation.name, result, error)
            call.leave()
        except Exception as fault:
            self._complain(fault)

    def _sent(self, call: _Call) -> float:
        call.attempts += 1
        if call.attempts > 1:
            try:
                at = call.operation.attributes_of(call.last_error)
                self._retries.add(1, at)
            except Exception as error:
                self._complain(error)
        return perf_counter()

    def _answered(self, call: _Call, args: Any) -> None:  # noqa: ANN401 - of ccxt's hook
        try:
            call.status = args[0]
            venue = call.operation.venue
            call.retry_after = self._limits.read(venue, args[4])
            if call.operation.declares_limits:
                self._limits.declared(venue, args[5])
        except Exception as error:
            self._complain(error)

    def _failed(self, call: _Call, began: float, error: BaseException) -> None:
        """An attempt failed: a log line a minute for each kind of failure of an endpoint, the metrics have them all."""
        try:
            took = perf_counter() - began
            operation, kind = call.operation, type(error).__name__
            venue, name = operation.venue, operation.name
            call.last_error = kind
            if not isinstance(error, Exception):
                operation.failing(kind)[0](took)
                return
            speaks = self._voice.kept_back((venue, name, kind)) is not None
            if too_many(error):
                if speaks:
                    self._trading.rate_limited(venue=venue, operation=name, wait_seconds=call.retry_after)
                else:
                    self._refusals.add(1, operation.at)
            if speaks:
                self._trading.request_completed(venue, name, took, error=error, text=text_of(error))
            else:
                operation.failing(kind)[0](took)
        except Exception as fault:
            self._complain(fault)

    def _operation(self, exchange: Any, args: Any, kwargs: Any) -> _Operation:  # noqa: ANN401
        path, api = _argument(args, kwargs, 0, "path"), _argument(args, kwargs, 1, "api")
        method = _argument(args, kwargs, 2, "method") or "GET"
        of = api if api.__class__ is str else tuple(api or ())
        key = exchange.id, method, of, path
        found = self._operations.get(key)
        if found is None:
            if len(self._operations) >= _OPERATIONS:
                return self._made(f"{exchange.id}", f"{method}", "other")
            under = of if isinstance(of, str) else "/".join(map(str, of))
            found = self._operations[key] = self._made(f"{exchange.id}", f"{method}", f"{under}/{path}".lstrip("/"))
        return found

    def _made(self, venue: str, method: str, path: str) -> _Operation:
        return _Operation(venue, method, path, self._attempts, self._calls, self._waits)

    def _complain(self, error: BaseException) -> None:
        self._complaints.say(f"a request of ccxt could not be measured: {type(error).__name__}: {error}")


class _Operation:
    """One endpoint of a venue, and its series."""

    __slots__ = (
        *("_attempts", "_calls", "_failing", "answered", "at", "attributes", "called", "declares_limits", "name"),
        *("venue", "waited"),
    )

    def __init__(self, venue: str, method: str, path: str, attempts: Any, calls: Any, waits: Any) -> None:  # noqa: ANN401
        self.venue = venue
        self.name = f"{method} {path}"
        self.at = {"trading.venue.name": venue, "trading.operation.name": self.name}
        self.attributes = {**self.at, "http.request.method": method}
        self.declares_limits = path.endswith("exchangeInfo")
        self._attempts, self._calls = attempts, calls
        self.answered: Callable[[float], None] = bound(attempts, "record", self.at)
        self.called: Callable[[float], None] = bound(calls, "record", self.at)
        self.waited: Callable[[float], None] = bound(waits, "record", self.at)
        self._failing: dict[str, tuple[Callable[[float], None], Callable[[float], None]]] = {}

    def attributes_of(self, error: str) -> dict[str, str]:
        """Of a series for an error."""
        return {**self.at, "error.type": error} if error else self.at

    def failing(self, error: str) -> tuple[Callable[[float], None], Callable[[float], None]]:
        """The series of attempts and calls that fail so."""
        found = self._failing.get(error)
        if found is None:
            if len(self._failing) >= _ERRORS:
                error = "_OTHER"
            at = self.attributes_of(error)
            found = self._failing[error] = (
                bound(self._attempts, "record", at),
                bound(self._calls, "record", at),
            )
        return found


class _Call:
    """A call under way."""

    __slots__ = (
        *("_scope", "_token", "attempts", "began", "exchange", "last_error", "operation", "over", "retry_after"),
        *("span", "status", "waited"),
    )

    def __init__(self, exchange: Any, operation: _Operation, scope: AbstractContextManager[Span]) -> None:  # noqa: ANN401
        self.exchange = exchange
        self.operation = operation
        self.attempts = 0
        self.last_error = ""
        self.over = False
        self.retry_after: float | None = None
        self.status: int | None = None
        self.waited = 0.0
        self._scope = scope
        self.span = scope.__enter__()
        self._token = _current.set(self)
        self.began = perf_counter()

    def leave(self) -> None:
        """It is over; a coroutine that is thrown away is closed elsewhere, where there is nothing to take back."""
        self.over = True
        try:
            _current.reset(self._token)
        except ValueError:
            self.span.end()
            return
        self._scope.__exit__(None, None, None)

    def describe(self, error: BaseException | None) -> None:
        """Have the span tell what became of the call."""
        span = self.span
        if self.status is not None:
            span.set_attribute("http.response.status_code", self.status)
        if self.attempts > 1:
            span.set_attribute("http.request.resend_count", self.attempts - 1)
        if self.waited >= _NOTABLE_WAIT:
            span.set_attribute("trading.rate_limit.wait", self.waited)
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR, text_of(error))


def _of(exchange: Any) -> _Call | None:  # noqa: ANN401 - ccxt's
    """The call that an exchange is making here; tasks that it started may live on when it is over."""
    call = _current.get()
    return call if call is not None and call.exchange is exchange and not call.over else None


def _argument(args: Any, kwargs: Any, place: int, name: str) -> Any:  # noqa: ANN401 - as ccxt calls it
    return args[place] if len(args) > place else kwargs.get(name)
