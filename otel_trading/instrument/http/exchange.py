"""One HTTP request as it is told, by the same rules whatever library makes it.

The instrumentations of opentelemetry-contrib differ in what they tell: some leave out failed requests, the server or
the kind of error, and none of them knows what a venue must not be told. Here they get a tracer and a meter that stand
between them and the real ones.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace
from opentelemetry.trace import Status, StatusCode

from otel_trading.instrument.http.addresses import Addresses, TraceHosts
from otel_trading.settings.complaints import Complaints
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opentelemetry.trace import Span, SpanContext, Tracer

    from otel_trading.instrument.http.addresses import Address
    from otel_trading.instrument.reporting import Reporting

_URLS = ("url.full", "http.url")
_METHODS = ("http.request.method", "http.method")
_STATUSES = ("http.response.status_code", "http.status_code")
_METRIC = {"error.type": "error.type", "network.protocol.version": "network.protocol.version"}
_METRIC |= dict.fromkeys(_STATUSES, "http.response.status_code")
_WRONG = frozenset({"network.peer.address", "network.peer.port"})
"""Attributes that are about the peer, in which contrib puts the server's name."""

_DEEPEST_CAUSE = 10
_complaints = Complaints("instrumented requests")


class Rules:
    """What holds for all requests of one instrumentation."""

    def __init__(
        self,
        said: Reporting,
        trace_hosts: Iterable[str] = (),
        template: Callable[[str], str | None] | None = None,
    ) -> None:
        self.on = True
        self.addresses = Addresses(template)
        self._said = said
        self._tell = TraceHosts(trace_hosts)
        self._durations = create(said.meter, "http.client.request.duration")
        self._may_tell: ContextVar[bool] = ContextVar("otel_trading_may_tell", default=False)
        self.tracer_provider = _Tracers(self)
        self.meter_provider = _Meters(said)

    @property
    def tracer(self) -> Tracer:
        """Where spans are started in truth."""
        return self._said.tracer

    def enabled(self) -> bool:
        """Whether anything is to be told at all."""
        return self.on and self._said.enabled()

    def begins(self, name: str, attributes: Mapping[str, Any] | None) -> tuple[str, dict[str, Any], Address | None]:
        """The span's name and attributes, by what contrib would call them; sets whether trace headers may go along."""
        told = dict(attributes or {})
        address: Address | None = None
        try:
            url = next((told[key] for key in _URLS if key in told), None)
            if url is not None:
                address = self.addresses.of(str(url))
                name = f"{name} {address.template}"
                told = {key: value for key, value in told.items() if key not in _WRONG}
                told |= {key: address.url for key in _URLS if key in told}
                told["url.template"] = address.template
                if address.host:
                    told["server.address"] = address.host
                if address.port:
                    told["server.port"] = address.port
        except Exception as error:
            _complaints.say(f"a request is told without its address: {type(error).__name__}: {error}")
            told = {key: value for key, value in told.items() if key not in _URLS}
        self._may_tell.set(address is not None and self._tell.has(address.host))
        return name, told, address

    def inject(self, into: Callable[..., None]) -> Callable[..., None]:
        """Put trace headers in where the host is one of those that may have them."""

        def inject(carrier: Any, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as it is called
            if self._may_tell.get():
                into(carrier, *args, **options)

        return inject

    def took(self, seconds: float, about: dict[str, Any]) -> None:
        """Record a request's duration."""
        self._durations.record(max(0.0, seconds), about)


class Exchange(trace.Span):
    """A request's span as contrib sees it: it is told on, and what the metric needs is kept."""

    def __init__(self, rules: Rules, span: Span, told: Mapping[str, Any], address: Address | None) -> None:
        self._rules = rules
        self._span = span
        self._about: dict[str, Any] = {}
        method = next((told[key] for key in _METHODS if key in told), None)
        if method is not None:
            self._about["http.request.method"] = method
        if address is not None:
            self._about["server.address"] = address.host
            self._about["url.template"] = address.template
            if address.port:
                self._about["server.port"] = address.port
        self._ended = False
        self._began = perf_counter()

    def failed(self, error: BaseException) -> None:
        """It ended with an error; told are its kind and the system's reason, as messages of libraries hold URLs."""
        kind = type(error).__qualname__
        self.set_attribute("error.type", kind)
        reason = _system_reason(error)
        self._span.set_status(Status(StatusCode.ERROR, f"{kind}: {reason}" if reason else kind))

    def measured(self) -> None:
        """Record how long it took, once."""
        if self._ended:
            return
        self._ended = True
        try:
            self._rules.took(perf_counter() - self._began, self._about)
        except Exception as error:
            _complaints.say(f"a request is not measured: {type(error).__name__}: {error}")

    def end(self, end_time: int | None = None) -> None:
        self.measured()
        self._span.end(end_time)

    def get_span_context(self) -> SpanContext:
        return self._span.get_span_context()

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def set_attribute(self, key: str, value: Any) -> None:  # noqa: ANN401 - any attribute's
        if key in _WRONG:
            return
        if key in _URLS:
            value = self._rules.addresses.of(str(value)).url
        kept = _METRIC.get(key)
        if kept is not None:
            self._about[kept] = value
        self._span.set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:  # noqa: ANN401
        self._span.add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:  # noqa: ANN401
        self._span.add_link(context, attributes)

    def update_name(self, name: str) -> None:
        self._span.update_name(name)

    def is_recording(self) -> bool:
        return True  # what is set is needed for the metric, also where the trace is not sampled

    def set_status(self, status: Any, description: str | None = None) -> None:  # noqa: ANN401
        self._span.set_status(status, description)

    def record_exception(self, exception: BaseException, *_: Any, **__: Any) -> None:  # noqa: ANN401
        self.failed(exception)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - what this engine's spans have beyond the API's
        return getattr(self._span, name)


def _system_reason(error: BaseException) -> str | None:
    """What the operating system said, where it said something.

    >>> try:
    ...     raise RuntimeError("https://venue.example/?signature=abc") from ConnectionRefusedError(111, "refused")
    ... except RuntimeError as error:
    ...     _system_reason(error)
    'refused'
    """
    cause: BaseException | None = error
    for _ in range(_DEEPEST_CAUSE):
        if cause is None:
            break
        if isinstance(cause, OSError) and isinstance(cause.strerror, str):
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return None


class _Tracers(trace.TracerProvider):
    """Gives contrib the tracer that keeps to the rules."""

    def __init__(self, rules: Rules) -> None:
        self._tracer = _Tracer(rules)

    def get_tracer(self, *_: Any, **__: Any) -> Tracer:  # noqa: ANN401
        return self._tracer


class _Tracer(trace.Tracer):
    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    def start_span(self, name: str, *_: Any, attributes: Any = None, **options: Any) -> Span:  # noqa: ANN401
        name, told, address = self._rules.begins(name, attributes)
        return Exchange(self._rules, self._rules.tracer.start_span(name, attributes=told, **options), told, address)

    @contextmanager
    def start_as_current_span(  # type: ignore[override]  # contrib uses it in a with statement alone
        self,
        name: str,
        *_: Any,  # noqa: ANN401
        attributes: Any = None,  # noqa: ANN401
        **options: Any,  # noqa: ANN401
    ) -> Iterator[Span]:
        name, told, address = self._rules.begins(name, attributes)
        options |= {"record_exception": False, "set_status_on_exception": False}
        with self._rules.tracer.start_as_current_span(name, attributes=told, **options) as span:
            exchange = Exchange(self._rules, span, told, address)
            try:
                yield exchange
            except BaseException as error:
                exchange.failed(error)
                raise
            finally:
                exchange.measured()


class _Meters(metrics.MeterProvider):
    """Gives contrib a meter for the older names alone: what is measured under the stable ones is measured here."""

    def __init__(self, said: Reporting) -> None:
        self._meter = _Meter(said)

    def get_meter(self, *_: Any, **__: Any) -> metrics.Meter:  # noqa: ANN401
        return self._meter


class _Meter(metrics.NoOpMeter):
    def __init__(self, said: Reporting) -> None:
        super().__init__("otel_trading")
        self._said = said

    def create_histogram(self, name: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        if name == "http.client.duration":
            return self._said.meter.create_histogram(name, *args, **options)
        return super().create_histogram(name, *args, **options)
