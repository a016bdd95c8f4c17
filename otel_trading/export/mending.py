"""Spans and log records as the encoder takes them, with what it cannot take replaced."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import SpanKind

from otel_trading.export.values import nanoseconds

if TYPE_CHECKING:
    from otel_trading.export.values import Mender

SCOPE_TEXTS = ("name", "version", "schema_url")


def mended_span(span: Any, mender: Mender) -> Any:  # noqa: ANN401 - what the encoder takes for a span
    """A span that can be encoded, unless its ids cannot."""
    context = span.get_span_context()
    status = span.status
    return SimpleNamespace(
        **_belonging(span, mender),
        get_span_context=lambda: context,
        name=mender.text(span.name),
        kind=span.kind if isinstance(span.kind, SpanKind) else SpanKind.INTERNAL,
        parent=span.parent,
        start_time=nanoseconds(span.start_time),
        end_time=nanoseconds(span.end_time),
        attributes=mender.attributes(span.attributes),
        events=[_event(event, mender) for event in span.events],
        links=[_link(link, mender) for link in span.links],
        status=SimpleNamespace(status_code=status.status_code, description=text_or_none(status.description, mender)),
        dropped_attributes=span.dropped_attributes,
        dropped_events=span.dropped_events,
        dropped_links=span.dropped_links,
    )


def mended_log(record: Any, mender: Mender) -> Any:  # noqa: ANN401 - what the encoder takes for a log record
    """A log record that can be encoded, unless its ids cannot."""
    given = record.log_record
    inner = SimpleNamespace(
        span_id=given.span_id or 0,
        trace_id=given.trace_id or 0,
        trace_flags=given.trace_flags or 0,
        timestamp=nanoseconds(given.timestamp),
        observed_timestamp=nanoseconds(given.observed_timestamp),
        severity_text=text_or_none(given.severity_text, mender),
        severity_number=given.severity_number,
        body=mender.value(given.body),
        attributes=mender.attributes(given.attributes),
        event_name=text_or_none(given.event_name, mender),
    )
    return SimpleNamespace(**_belonging(record, mender), log_record=inner, dropped_attributes=record.dropped_attributes)


def kept(given: Any, mender: Mender, *texts: str) -> Any:  # noqa: ANN401 - a resource or a scope
    """A resource or scope that can be encoded: itself, where it can be."""
    if given is None:
        return None
    made = _Kept(given, mender, *texts)
    alike = made.attributes == dict(given.attributes or {}) and all(
        getattr(made, name) == getattr(given, name) for name in texts
    )
    return given if alike else made


class _Kept:
    """What is encoded for a resource or a scope; those that are alike go together."""

    def __init__(self, given: Any, mender: Mender, *texts: str) -> None:  # noqa: ANN401
        self.attributes = mender.attributes(given.attributes)
        for name in texts:
            setattr(self, name, text_or_none(getattr(given, name), mender))
        self._key = repr(vars(self))

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and self._key == other._key


def _belonging(item: Any, mender: Mender) -> dict[str, Any]:  # noqa: ANN401
    """The resource and the scope of an item."""
    return {
        "resource": kept(item.resource, mender, "schema_url"),
        "instrumentation_scope": kept(item.instrumentation_scope, mender, *SCOPE_TEXTS),
    }


def _event(event: Any, mender: Mender) -> Any:  # noqa: ANN401
    return SimpleNamespace(
        name=mender.text(event.name),
        timestamp=nanoseconds(event.timestamp),
        attributes=mender.attributes(event.attributes),
        dropped_attributes=event.dropped_attributes,
    )


def _link(link: Any, mender: Mender) -> Any:  # noqa: ANN401
    return SimpleNamespace(
        context=link.context,
        attributes=mender.attributes(link.attributes),
        dropped_attributes=link.dropped_attributes,
    )


def text_or_none(given: Any, mender: Mender) -> str | None:  # noqa: ANN401
    return None if given is None else mender.text(given)
