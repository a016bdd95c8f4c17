"""Native spans as opentelemetry-sdk shows spans: made only for span processors and exporters of the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, Status

from otel_trading import redaction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading import _native


def readable(span: _native.Span) -> ReadableSpan:
    """A copy of a span as it is now, without secrets."""
    scope = span.instrumentation_scope
    return ReadableSpan(
        name=redaction.redact(span.name),
        context=span.context,
        parent=span.parent,
        resource=_resource(span.resource),
        attributes=_bounded(span.attributes, span.dropped_attributes),
        events=_list([_event(*event) for event in span._events], span.dropped_events),  # noqa: SLF001
        links=_list([_link(*each) for each in span._links], span.dropped_links),  # noqa: SLF001
        kind=span.kind,
        status=_status(span.status),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=InstrumentationScope(scope.name, scope.version, scope.schema_url, scope.attributes),
    )


def _status(status: Status) -> Status:
    if not status.description:
        return status
    return Status(status.status_code, redaction.redact(status.description))


def _resource(given: Any) -> Resource:  # noqa: ANN401 - the SDK's, or the attributes of one
    return given if isinstance(given, Resource) else Resource(given)


def _bounded(attributes: dict[str, Any], dropped: int) -> BoundedAttributes:
    bounded = BoundedAttributes(attributes=None, immutable=False)
    bounded._dict.update(redaction.attributes(attributes))  # noqa: SLF001 - cleaned and limited already
    bounded.dropped = dropped
    bounded._immutable = True  # noqa: SLF001
    return bounded


def _event(name: str, time: int, attributes: dict[str, Any], dropped: int) -> Event:
    return Event(redaction.redact(name), _bounded(attributes, dropped), time)


def _link(context: Any, _: int, attributes: dict[str, Any], dropped: int) -> Link:  # noqa: ANN401
    return Link(context, _bounded(attributes, dropped))


def _list(items: Sequence[Any], dropped: int) -> Sequence[Any]:
    bounded: Any = BoundedList.from_seq(max(1, len(items)), items)
    bounded.dropped = dropped
    return bounded  # type: ignore[no-any-return]
