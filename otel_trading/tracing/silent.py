"""What the native engine's spans have beyond OpenTelemetry's, on spans that are not: it does nothing there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.trace import NonRecordingSpan

if TYPE_CHECKING:
    from opentelemetry.trace import Span


class SilentSpan(NonRecordingSpan):
    """A span that is not recorded.

    >>> from opentelemetry.trace import INVALID_SPAN_CONTEXT
    >>> SilentSpan(INVALID_SPAN_CONTEXT).keep()
    """

    def keep(self) -> None:
        """Do nothing: there is nothing to keep."""

    def set_budget(self, seconds: float) -> None:
        """Do nothing: nobody measures."""


def with_the_rest(span: Span) -> Span:
    """A span of opentelemetry-sdk on which a bot may call what it calls on native ones."""
    if not hasattr(span, "keep"):
        extended: Any = span
        extended.keep = _nothing
        extended.set_budget = _nothing
    return span


def _nothing(*_: object) -> None: ...
