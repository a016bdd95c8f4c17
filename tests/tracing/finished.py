"""Finished spans as plain values, read from the official protobuf."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.trace.v1.trace_pb2 import SpanFlags

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
    from opentelemetry.proto.trace.v1 import trace_pb2 as proto

Attributes = dict[str, Any]
SAMPLED, RANDOM = 1, 2
KNOWS_REMOTE: int = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
REMOTE: int = SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK


@dataclass(frozen=True)
class Event:
    name: str
    time: int
    attributes: Attributes
    dropped: int


@dataclass(frozen=True)
class Link:
    trace_id: int
    span_id: int
    state: str
    flags: int
    attributes: Attributes
    dropped: int


@dataclass(frozen=True)
class Scope:
    name: str
    version: str
    schema: str
    attributes: Attributes


@dataclass(frozen=True)
class Resource:
    attributes: Attributes
    schema: str


@dataclass(frozen=True)
class Finished:
    name: str
    kind: str
    trace_id: int
    span_id: int
    parent_id: int
    """0 for a root."""
    state: str
    flags: int
    start: int
    end: int
    status: str
    message: str
    attributes: Attributes
    dropped_attributes: int
    events: tuple[Event, ...]
    dropped_events: int
    links: tuple[Link, ...]
    dropped_links: int
    scope: Scope
    resource: Resource

    @property
    def event(self) -> Event:
        """The one event."""
        (event,) = self.events
        return event


def finished(request: ExportTraceServiceRequest) -> Iterator[Finished]:
    """The spans of a request."""
    for of_resource in request.resource_spans:
        resource = Resource(_attributes(of_resource.resource.attributes), of_resource.schema_url)
        for of_scope in of_resource.scope_spans:
            scope = _scope(of_scope.scope, of_scope.schema_url)
            for span in of_scope.spans:
                yield _span(span, scope, resource)


def _scope(scope: InstrumentationScope, schema: str) -> Scope:
    return Scope(scope.name, scope.version, schema, _attributes(scope.attributes))


def _span(span: proto.Span, scope: Scope, resource: Resource) -> Finished:
    assert (len(span.trace_id), len(span.span_id), len(span.parent_span_id) % 8) == (16, 8, 0)
    return Finished(
        name=span.name,
        kind=type(span).SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=int.from_bytes(span.trace_id, "big"),
        span_id=int.from_bytes(span.span_id, "big"),
        parent_id=int.from_bytes(span.parent_span_id, "big"),
        state=span.trace_state,
        flags=span.flags,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        status=type(span.status).StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
        message=span.status.message,
        attributes=_attributes(span.attributes),
        dropped_attributes=span.dropped_attributes_count,
        events=tuple(
            Event(event.name, event.time_unix_nano, _attributes(event.attributes), event.dropped_attributes_count)
            for event in span.events
        ),
        dropped_events=span.dropped_events_count,
        links=tuple(map(_link, span.links)),
        dropped_links=span.dropped_links_count,
        scope=scope,
        resource=resource,
    )


def _link(link: proto.Span.Link) -> Link:
    return Link(
        trace_id=int.from_bytes(link.trace_id, "big"),
        span_id=int.from_bytes(link.span_id, "big"),
        state=link.trace_state,
        flags=link.flags,
        attributes=_attributes(link.attributes),
        dropped=link.dropped_attributes_count,
    )


def _attributes(pairs: Iterable[KeyValue]) -> Attributes:
    listed = [(pair.key, _value(pair.value)) for pair in pairs]
    found = dict(listed)
    assert len(found) == len(listed), f"a key twice: {listed}"
    return found


def _value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return tuple(map(_value, value.array_value.values))
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    return getattr(value, kind)
