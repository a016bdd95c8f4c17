"""Ended spans go to a queue; the bot does not wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from otel_trading.export.queue import BatchQueue


class QueueSpanProcessor(SpanProcessor):
    """Queues each sampled span when it ends."""

    def __init__(self, queue: BatchQueue[ReadableSpan]) -> None:
        self._queue = queue

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing: a span is of interest when it has ended."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span if it is sampled."""
        if span.context is not None and span.context.trace_flags.sampled:
            self._queue.put(span)

    def shutdown(self) -> None:
        """Leave the queue to its owner, who knows the deadline."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what is queued, for callers that hold the provider; False when it is not done in time."""
        return self._queue.flush(timeout_millis / 1_000)
