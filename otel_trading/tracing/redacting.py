"""Spans of opentelemetry-sdk lose their secrets when they end, before anybody else sees them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import Status

from otel_trading import redaction

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import Span


class RedactingSpanProcessor(SpanProcessor):
    """Masks what ending spans hold; all other processors are told of the end after it."""

    def _on_ending(self, span: Span) -> None:
        ending: Any = span
        with contextlib.suppress(Exception):
            ending._name = redaction.redact(span.name)  # noqa: SLF001 - it is about to end, and takes no changes
        with contextlib.suppress(Exception):
            _mask(ending._attributes)  # noqa: SLF001
        for part in (*ending._events, *ending._links):  # noqa: SLF001
            with contextlib.suppress(Exception):
                _mask(part._attributes)  # noqa: SLF001
        for event in ending._events:  # noqa: SLF001
            with contextlib.suppress(Exception):
                event._name = redaction.redact(event.name)  # noqa: SLF001
        with contextlib.suppress(Exception):
            status = span.status
            if status.description:
                ending._status = Status(status.status_code, redaction.redact(status.description))  # noqa: SLF001


def _mask(bounded: Any) -> None:  # noqa: ANN401 - the SDK's attributes
    """Mask attributes where they are: what they hold is limited already."""
    own = bounded._dict  # noqa: SLF001
    masked = redaction.attributes(dict(own))
    if masked != own:
        own.clear()
        own.update(masked)
