"""A ``TracerProvider`` that stays while what stands behind it is exchanged.

Libraries keep the tracers they were handed. Those of the native provider are handed out as they are: the provider
outlives every reconfiguration, and while another one is in use they pass their calls on to it. For the SDK's there are
stand-ins, which ask the provider in use at every call. Starting a span never raises: what the SDK cannot start becomes
a span that records nothing, and is counted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry import trace as api
from opentelemetry.trace import Link, SpanKind
from opentelemetry.util._decorator import _agnosticcontextmanager

from otel_trading import forks
from otel_trading.export.added import Added
from otel_trading.tracing.silent import SilentSpan, with_the_rest

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.util.types import Attributes

    from otel_trading.export.ledger import Ledger


class SwitchTracerProvider(api.TracerProvider):
    """Hands out tracers that survive ``use``; processors added by others are added to each provider in turn."""

    def __init__(self, real: api.TracerProvider, ledger: Ledger) -> None:
        self._lock = forks.lock()
        self._real: Any = real
        self._ledger = ledger
        self._enabled = True
        self._tracers: dict[tuple[Any, ...], SwitchTracer] = {}
        self._delegates: list[SwitchTracer] = []
        self._native: dict[tuple[Any, ...], tuple[tuple[Any, ...], Any]] = {}
        self.added: Added[SpanProcessor] = Added()

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> api.Tracer:
        """A tracer by name, version, schema and attributes; the same one for the same scope."""
        scope = (instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        key = (*scope[:3], tuple(sorted((attributes or {}).items())))
        with self._lock:
            if key in self._native:
                return self._native[key][1]  # type: ignore[no-any-return]
            if key not in self._tracers:
                if self._is_native(self._real):
                    tracer = self._real.get_tracer(*scope)
                    self._native[key] = (scope, tracer)
                    return tracer  # type: ignore[no-any-return]
                self._tracers[key] = SwitchTracer(scope, self._real, self._ledger)
                self._tracers[key].off = not self._enabled
            return self._tracers[key]

    def use(self, real: api.TracerProvider, ledger: Ledger) -> None:
        """Put another provider behind every tracer handed out so far."""
        with self._lock:
            self._real, self._ledger, self._enabled = real, ledger, True
            for processor in self.added.processors:
                self._real.add_span_processor(processor)
            for tracer in self._tracers.values():
                tracer.switch(real, ledger)
            native = self._is_native(real)
            self._delegates.clear()
            for scope, tracer in self._native.values():
                delegate = None if native else SwitchTracer(scope, real, ledger)
                tracer._delegate(delegate)  # noqa: SLF001 - the core's half of this
                self._delegates += [delegate] if delegate is not None else []

    @property
    def real(self) -> Any:  # noqa: ANN401 - either engine's
        """The provider behind it."""
        return self._real

    @property
    def enabled(self) -> bool:
        """Whether spans are recorded; may be switched at any time, off the parent's context goes through."""
        return bool(self._real.enabled) if self._is_native(self._real) else self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        with self._lock:
            self._enabled = enabled
            if self._is_native(self._real):
                self._real.enabled = enabled
            for tracer in (*self._tracers.values(), *self._delegates):
                tracer.off = not enabled

    @staticmethod
    def _is_native(provider: object) -> bool:
        return isinstance(provider, _native_provider())

    @property
    def resource(self) -> Resource:
        """The resource of the provider in use."""
        return self._real.resource  # type: ignore[no-any-return]

    def add_span_processor(self, processor: SpanProcessor) -> None:
        """Add one of opentelemetry-sdk's span processors."""
        with self._lock:
            self._real.add_span_processor(self.added.add(processor))

    def let_go(self) -> None:
        """Take from the native provider, which outlives a shutdown, what others added to it."""
        if self._is_native(self._real):
            for processor in self.added.processors:
                self._real.remove_span_processor(processor)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the provider in use, for callers that expect the SDK's."""
        return bool(self._real.force_flush(timeout_millis))


def _native_provider() -> type | tuple[()]:
    """The native provider's class, as far as it is loaded: a process on the ``sdk`` engine does not need it."""
    module = sys.modules.get("otel_trading.tracing.native.provider")
    return module.NativeTracerProvider if module else ()


class SwitchTracer(api.Tracer):
    """Starts spans on the tracer in use."""

    def __init__(self, scope: tuple[Any, ...], provider: api.TracerProvider, ledger: Ledger) -> None:
        self._scope = scope
        self.switch(provider, ledger)

    def switch(self, provider: api.TracerProvider, ledger: Ledger) -> None:
        """Take the tracer of another provider."""
        self.off = False
        self._ledger = ledger
        self._real = provider.get_tracer(*self._scope)

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> api.Span:
        """See ``opentelemetry.trace.Tracer``."""
        if self.off:
            return SilentSpan(api.get_current_span(context).get_span_context())
        try:
            span = self._real.start_span(
                name if isinstance(name, str) else str(name),
                context,
                kind,
                attributes if isinstance(attributes, Mapping) else None,
                links or (),
                None if start_time is None else int(start_time),
                record_exception,
                set_status_on_exception,
            )
        except Exception:
            self._ledger.emitted()
            self._ledger.dropped("invalid_span")
            span = api.INVALID_SPAN
        return with_the_rest(span)

    @_agnosticcontextmanager
    def start_as_current_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> Iterator[api.Span]:
        """See ``opentelemetry.trace.Tracer``; also a decorator of functions and coroutines."""
        span = self.start_span(
            name, context, kind, attributes, links, start_time, record_exception, set_status_on_exception
        )
        with api.use_span(span, end_on_exit, record_exception, set_status_on_exception) as current:
            yield current
