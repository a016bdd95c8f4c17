"""The ``TracerProvider`` of the native engine."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry import trace as api

from otel_trading import _native, values
from otel_trading.settings.plugins import sampler as sampler_by_name
from otel_trading.tracing.native import hooks
from otel_trading.tracing.native.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanLimits, SpanProcessor
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.util.types import Attributes

Retention = Literal["all", "budget", "interesting"]
Known = Literal["parent_on", "on", "off"]

RING = 1 << 22
"""Bytes of the ring: some 30,000 spans, which the pump reads every 100 ms."""

BUDGET = 64 << 20
"""Bytes of all recordings."""

_native.connect_traces(hooks)
api.Span.register(_native.Span)
api.Tracer.register(_native.Tracer)


@dataclass(frozen=True, slots=True)
class Scope:
    """Who starts spans; the names are those of the SDK's ``InstrumentationScope``."""

    name: str
    version: str | None = None
    schema_url: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict, compare=False)


class NativeTracerProvider(api.TracerProvider):
    """Tracers whose spans cost a fraction of a microsecond, with the SDK's samplers, limits and span processors.

    ``retention`` says which traces are kept once they are complete: ``all``; ``budget``, which keeps all as long as
    they are few, else the interesting ones and a random share of the others; or ``interesting``. What is kept is
    encoded without the GIL, for whoever asks ``take``. Nothing here raises into the bot; what cannot be used is
    reported once.

    >>> provider = NativeTracerProvider()
    >>> with provider.get_tracer("bot").start_as_current_span("tick", attributes={"symbol": "BTC/USDT"}) as span:
    ...     span.set_attribute("orders", 1)
    >>> from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    >>> [request] = provider.drain()
    >>> ExportTraceServiceRequest.FromString(request).resource_spans[0].scope_spans[0].spans[0].name
    'tick'
    """

    def __init__(
        self,
        resource: Resource | Mapping[str, Any] | None = None,
        *,
        sampler: Sampler | Known | None = None,
        span_limits: SpanLimits | Limits | None = None,
        id_generator: IdGenerator | None = None,
        retention: Retention = "all",
        tracer_configurator: Callable[[Any], Any] | None = None,
        ring: int = RING,
    ) -> None:
        hooks.begin()
        self.core = _native.Traces(ring)
        self._lock = threading.RLock()
        self._tracers: dict[tuple[Any, ...], _native.Tracer] = {}
        self._processors: tuple[SpanProcessor, ...] = ()
        self._configurator = tracer_configurator
        self._recorded: tuple[object, ...] = (None, ring)
        self.deliver: Callable[[float], bool] | None = None
        """Delivers what is kept within so many seconds; there only while somebody ships it."""
        self.resource: Any = {}
        self.set_resource({} if resource is None else resource)
        self.set_sampler(_of_environment(os.environ) if sampler is None else sampler)
        self.set_limits(Limits.of_environment() if span_limits is None else span_limits)
        self.set_id_generator(id_generator)
        self.set_retention(retention)
        self.enabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() != "true"
        _renew_in_children(self)

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> api.Tracer:
        """A tracer by name, version, schema and attributes; the same one for the same scope."""
        name = _text(instrumenting_module_name) or ""
        if not name:
            hooks.complain("a tracer without a name: nobody can tell whose its spans are")
        version, schema = _text(instrumenting_library_version), _text(schema_url)
        cleaned, own = values.attributes(attributes) or ({}, ())
        key = (name, version, schema, own)
        with self._lock:
            tracer = self._tracers.get(key)
            if tracer is None:
                scope = Scope(name, version, schema, cleaned)
                enabled = self._enables(scope)
                tracer = self.core.tracer(scope, name, version or "", schema or "", cleaned, enabled)
                self._tracers[key] = tracer
            return tracer  # type: ignore[return-value]  # registered as a tracer

    @property
    def enabled(self) -> bool:
        """Whether spans are recorded; off, the parent's context goes through."""
        return self.core.enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self.core.enabled = enabled

    def set_resource(self, resource: Resource | Mapping[str, Any]) -> None:
        """Whose spans they are from now on."""
        given = resource if isinstance(resource, Mapping) else resource.attributes
        self.resource = resource
        cleaned, _ = values.attributes(given) or ({}, ())
        self.core.set_resource(getattr(resource, "schema_url", "") or "", cleaned, resource)

    def set_sampler(self, sampler: Sampler | Known | None) -> None:
        """Who decides at the start of a span whether it is recorded; by default the parent, and roots are.

        ``parent_on``, ``on`` and ``off`` are decided without asking anybody.
        """
        self.core.set_sampler(_known(sampler))

    def set_limits(self, limits: SpanLimits | Limits) -> None:
        """How much a span may hold."""
        (limits if isinstance(limits, Limits) else Limits.of(limits)).apply(self.core)

    def set_retention(
        self,
        retention: Retention,
        *,
        spans_per_second: float | None = None,
        slow_percentile: float | None = None,
        slippage_bps: float | None = None,
        max_age: float | None = None,
    ) -> None:
        """Which traces are kept from now on; what waits is decided by the rules it came under.

        ``spans_per_second`` is the budget. A root is slow above ``slow_percentile`` (0 to 1) of its own history; more
        ``slippage_bps`` than these are interesting; a trace is decided ``max_age`` seconds after its first span at the
        latest.
        """
        self.core.set_policy(
            retention,
            spans_per_second=spans_per_second,
            slow_percentile=slow_percentile,
            slippage_bps=slippage_bps,
            max_age=max_age,
        )

    def set_id_generator(self, generator: IdGenerator | None) -> None:
        """Where ids come from; ``None`` for the engine's own."""
        random = getattr(generator, "is_trace_id_random", bool)
        self.core.set_id_generator(generator, bool(random()))

    def set_configurator(self, tracer_configurator: Callable[[Any], Any] | None) -> None:
        """Who decides for each scope whether its spans are recorded; ``None`` for all."""
        with self._lock:
            self._configurator = tracer_configurator
            for tracer in self._tracers.values():
                tracer._enable(self._enables(tracer.instrumentation_scope))  # noqa: SLF001 - the core's half of this

    def record(
        self,
        folder: Path | None,
        *,
        size: int = RING,
        service: str = "",
        instance: bytes = bytes(16),
        budget: int = BUDGET,
    ) -> None:
        """Have what ended and was not delivered in a file of this folder, or in memory, so many bytes of it.

        A forked child gets a file of its own, after it removed the oldest ones of dead processes that exceed ``budget``
        bytes together. Raises ``OSError`` when there can be no such file; what was recorded into
        stays then.
        """
        wanted = (folder, size, service, budget) if folder is not None else (None, size)
        unfinished = folder is None or (self.core.recording is not None and not self.core.closed)
        if wanted != self._recorded or not unfinished:
            self.core.record(size, folder, service, instance, budget)
            self._recorded = wanted

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add one of opentelemetry-sdk's span processors, which every span then pays for."""
        with self._lock:
            if span_processor not in self._processors:
                self._use((*self._processors, span_processor))

    def remove_span_processor(self, span_processor: SpanProcessor) -> None:
        """Take one back."""
        with self._lock:
            self._use(tuple(each for each in self._processors if each is not span_processor))

    def _use(self, processors: tuple[SpanProcessor, ...]) -> None:
        self._processors = processors
        self.core.set_processors(processors or None)

    def drain(self) -> list[bytes]:
        """All spans that ended and are kept, as requests; traces that are not complete are decided as they are."""
        self.core.flush()
        requests = []
        while (batch := self.core.take(rest=True)) is not None:
            requests.append(bytes(batch.request))
            self.core.settled(batch)
        return requests

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Decide what waits, have it delivered, and flush the span processors that were added."""
        self.core.flush()
        delivered = self.deliver is None or self.deliver(timeout_millis / 1_000)
        return all([delivered, *(_flushed(processor, timeout_millis) for processor in self._processors)])

    def shutdown(self) -> None:
        """Export nothing more, and shut down the span processors that were added."""
        self.core.close()
        for processor in self._processors:
            try:
                processor.shutdown()
            except Exception as error:
                hooks.complain(f"span processor {type(processor).__name__} fails: {type(error).__name__}: {error}")

    def restart_in_child(self) -> None:
        """Begin with an empty ring and ids of its own in a forked child."""
        self._lock = threading.RLock()
        self.core.reset_in_child()

    def _enables(self, scope: Scope) -> bool:
        if self._configurator is None:
            return True
        try:
            return bool(self._configurator(scope).is_enabled)
        except Exception as error:
            hooks.complain(f"the tracer configurator fails: {type(error).__name__}: {error}")
            return True


def _flushed(processor: SpanProcessor, timeout_millis: int) -> bool:
    try:
        return processor.force_flush(timeout_millis) is not False
    except Exception:
        return False


def _known(sampler: Sampler | Known | None) -> object:
    """The name of a sampler that the core knows, or the sampler itself."""
    if sampler is None or isinstance(sampler, str):
        return sampler or "parent_on"
    from opentelemetry.sdk.trace import sampling

    return {
        id(sampling.ALWAYS_ON): "on",
        id(sampling.ALWAYS_OFF): "off",
        id(sampling.DEFAULT_ON): "parent_on",
    }.get(id(sampler), sampler)


def _of_environment(variables: Mapping[str, str]) -> Sampler | None:
    name = variables.get("OTEL_TRACES_SAMPLER", "").strip()
    return sampler_by_name(name, variables.get("OTEL_TRACES_SAMPLER_ARG")) if name else None


def _text(given: object) -> str | None:
    try:
        return None if given is None else values.key_text(given)
    except Exception:
        return None


def _renew_in_children(provider: NativeTracerProvider) -> None:
    weak = weakref.WeakMethod(provider.restart_in_child)

    def in_child() -> None:
        restart = weak()
        if restart is not None:
            restart()

    os.register_at_fork(after_in_child=in_child)
