"""The two engines behind one interface, so that a behaviour is tested once."""

from __future__ import annotations

# before any provider: the SDK's hangs in a child that was forked from a process that imported it afterwards
import concurrent.futures.thread  # noqa: F401
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_trading.tracing.native import NativeTracerProvider
from tests.tracing.finished import Finished, finished

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry import trace as api

Name = Literal["sdk", "native"]
RESOURCE = Resource({"service.name": "test-bot"})


def provider(engine: Name, **options: Any) -> Any:
    """A tracer provider of an engine: the SDK's class or ours."""
    options.setdefault("resource", RESOURCE)
    return TracerProvider(shutdown_on_exit=False, **options) if engine == "sdk" else NativeTracerProvider(**options)


class Bench:
    """An engine whose finished spans are kept."""

    def __init__(self, engine: Name, **options: Any) -> None:
        self.engine = engine
        self.provider = provider(engine, **options)
        self.tracer: api.Tracer = self.provider.get_tracer("bot", "1.0")
        self._exporter = InMemorySpanExporter()
        self._taken = 0
        self._finished: list[Finished] = []
        if engine == "sdk":
            self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def pump(self) -> None:
        """Empty the native engine's ring, as its thread does ten times a second where ``configure()`` starts it."""
        if self.engine == "native":
            self.provider.core.tick()

    def requests(self) -> Iterable[ExportTraceServiceRequest]:
        """What ended since the last call, as it leaves the process."""
        if self.engine == "native":
            return map(ExportTraceServiceRequest.FromString, self.provider.drain())
        new = self._exporter.get_finished_spans()[self._taken :]
        self._taken += len(new)
        return [encode_spans(new)]

    def finished(self) -> list[Finished]:
        """All spans that ended so far."""
        self._finished += [span for request in self.requests() for span in finished(request)]
        return self._finished

    def named(self) -> dict[str, Finished]:
        """All spans that ended so far, by their names."""
        named = {span.name: span for span in self.finished()}
        assert len(named) == len(self.finished()), "two spans of one name"
        return named

    def only(self) -> Finished:
        """The one span that ended."""
        (span,) = self.finished()
        return span

    def names(self) -> list[str]:
        """The names of all spans that ended so far, sorted."""
        return sorted(span.name for span in self.finished())
