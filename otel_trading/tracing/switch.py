"""A ``TracerProvider`` that stays while what stands behind it is exchanged.

Libraries keep the tracers they were handed; these stand-ins ask the provider in use at every call. Starting a
span never raises: what the SDK cannot start becomes a span that records nothing, and is counted.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry import trace as api
from opentelemetry.trace import Link, SpanKind
from opentelemetry.util._decorator import _agnosticcontextmanager

from otel_trading.export.added import Added

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.util.types import Attributes

    from otel_trading.export.ledger import Ledger


class SwitchTracerProvider(api.TracerProvider):
    """Hands out tracers that survive ``use``; processors added by others are added to each provider in turn."""

    def __init__(self, real: TracerProvider, ledger: Ledger) -> None:
        self._lock = threading.RLock()
        self._real = real
        self._ledger = ledger
        self._tracers: dict[tuple[Any, ...], SwitchTracer] = {}
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
            if key not in self._tracers:
                self._tracers[key] = SwitchTracer(scope, self._real, self._ledger)
            return self._tracers[key]

    def use(self, real: TracerProvider, ledger: Ledger) -> None:
        """Put another provider behind every tracer handed out so far."""
        with self._lock:
            self._real, self._ledger = real, ledger
            for processor in self.added.processors:
                real.add_span_processor(processor)
            for tracer in self._tracers.values():
                tracer.switch(real, ledger)

    @property
    def resource(self) -> Resource:
        """The resource of the provider in use."""
        return self._real.resource

    def add_span_processor(self, processor: SpanProcessor) -> None:
        """Add one of opentelemetry-sdk's span processors."""
        with self._lock:
            self.added.processors.append(processor)
            self._real.add_span_processor(processor)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the provider in use, for callers that expect the SDK's."""
        return self._real.force_flush(timeout_millis)


class SwitchTracer(api.Tracer):
    """Starts spans on the tracer in use."""

    def __init__(self, scope: tuple[Any, ...], provider: TracerProvider, ledger: Ledger) -> None:
        self._scope = scope
        self.switch(provider, ledger)

    def switch(self, provider: TracerProvider, ledger: Ledger) -> None:
        """Take the tracer of another provider."""
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
        try:
            return self._real.start_span(
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
            return api.INVALID_SPAN

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
