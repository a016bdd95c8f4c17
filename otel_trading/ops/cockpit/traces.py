"""Traces that were kept lately, decoded for whoever looks."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from typing import TYPE_CHECKING, Any

from otel_trading.ops.cockpit.values import Tree, known, milliseconds, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from otel_trading.tracing.native.latest import Latest

TRACES, SPANS = 50, 200
"""Traces that are kept, and spans of each."""

ATTRIBUTES, EVENTS = 32, 32
BARS = 24
"""Spans of a trace that are drawn in the list."""

FRESH = 20
"""Traces that are new to the list each second at most: more nobody could read."""

AT_ONCE = 250
"""Spans between two rests: about a millisecond."""

_ERROR = 2
_WHY = "trading.trace.kept"
_DEEPEST = 20


class Traces:
    """The last traces, most of which nobody opens: what they are in detail is decoded when somebody does."""

    def __init__(self, latest: Latest) -> None:
        self._latest = latest
        self._read = 0
        self._traces: OrderedDict[bytes, list[tuple[Any, str]]] = OrderedDict()
        self._rows: dict[bytes, Tree] = {}
        self._number = 0

    async def read(self) -> None:
        """Decode what came, with rests."""
        touched: dict[bytes, None] = {}
        seen = 0
        for number, request in self._latest.since(self._read):
            self._read = number
            for service, span in _spans(request):
                spans = self._traces.get(span.trace_id)
                if spans is None:
                    spans = self._traces[span.trace_id] = []
                if len(spans) < SPANS:
                    spans.append((span, service))
                touched[span.trace_id] = None
                seen += 1
                if seen % AT_ONCE == 0:
                    await asyncio.sleep(0)
        for trace_id in list(touched)[-FRESH:]:
            self._number += 1
            self._rows[trace_id] = _row(self._traces[trace_id], self._number)
        for gone in [each for each in self._traces if each not in self._rows]:  # there were too many to be read
            del self._traces[gone]
        while len(self._rows) > TRACES:
            oldest = next(iter(self._traces))
            del self._traces[oldest]
            self._rows.pop(oldest, None)

    def rows(self) -> Tree:
        """A line for each trace: what it is called, how long it took, what stands out, where its spans are."""
        return {trace_id.hex(): row for trace_id, row in self._rows.items()}

    def trace(self, trace_id: str) -> Tree | None:
        """All of one trace; ``None`` when it is not known any more."""
        try:
            spans = self._traces.get(bytes.fromhex(trace_id))
        except ValueError:
            return None
        if not spans:
            return None
        begin = min(span.start_time_unix_nano for span, _ in spans)
        return {
            "id": trace_id,
            "begin": milliseconds(begin) or 0,
            "spans": [_detail(span, service, depth, begin) for depth, (span, service) in _ordered(spans)],
            "cut": len(spans) >= SPANS,
        }

    def clear(self) -> None:
        """Let go of them, as nobody looks any more; what is there still is decoded anew."""
        self._traces.clear()
        self._rows.clear()
        self._read = 0


def _spans(request: bytes) -> Iterator[tuple[str, Any]]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    for resource_spans in ExportTraceServiceRequest.FromString(request).resource_spans:
        service = next(
            (each.value.string_value for each in resource_spans.resource.attributes if each.key == "service.name"), ""
        )
        for scope_spans in resource_spans.scope_spans:
            for span in scope_spans.spans:
                yield service, span


def _row(spans: list[tuple[Any, str]], number: int) -> Tree:
    ordered = list(_ordered(spans))
    root = ordered[0][1][0]
    begin = min(span.start_time_unix_nano for span, _ in spans)
    end = max(span.end_time_unix_nano for span, _ in spans)
    whole = max(1, end - begin)
    return known(
        number=number,
        name=words(root.name, 120),
        service=words(ordered[0][1][1], 60),
        begin=milliseconds(begin),
        seconds=round((end - begin) / 1e9, 9),
        spans=len(spans),
        errors=sum(span.status.code == _ERROR for span, _ in spans),
        why=words(_attribute(root, _WHY), 60),
        symbol=words(_attribute(root, "trading.instrument.symbol"), 60),
        bars=[
            [
                round((span.start_time_unix_nano - begin) / whole, 4),
                round(max(0, span.end_time_unix_nano - span.start_time_unix_nano) / whole, 4),
                int(span.status.code == _ERROR),
            ]
            for _, (span, _) in ordered[:BARS]
        ],
    )


def _attribute(span: Any, name: str) -> Any:  # noqa: ANN401 - whatever it holds
    return next((_plain(each.value) for each in span.attributes if each.key == name), None)


def _ordered(spans: list[tuple[Any, str]]) -> Iterator[tuple[int, tuple[Any, str]]]:
    """Depth and span: roots by their begin, each with its children behind it."""
    ids = {span.span_id for span, _ in spans}
    children: dict[bytes, list[tuple[Any, str]]] = defaultdict(list)
    for each in sorted(spans, key=lambda found: found[0].start_time_unix_nano):
        parent = each[0].parent_span_id
        children[parent if parent in ids and parent != each[0].span_id else b""].append(each)
    waiting = [(0, each) for each in reversed(children.pop(b"", []))]
    while waiting:
        depth, each = waiting.pop()
        yield min(depth, _DEEPEST), each
        waiting += [(depth + 1, child) for child in reversed(children.pop(each[0].span_id, []))]
    for left in children.values():  # a circle of parents
        yield from ((0, each) for each in left)


def _detail(span: Any, service: str, depth: int, begin: int) -> Tree:  # noqa: ANN401 - of protobuf
    return known(
        id=span.span_id.hex(),
        name=words(span.name, 120),
        service=words(service, 60),
        depth=depth,
        start=round((span.start_time_unix_nano - begin) / 1e9, 9),
        seconds=round(max(0, span.end_time_unix_nano - span.start_time_unix_nano) / 1e9, 9),
        error=span.status.code == _ERROR,
        message=words(span.status.message) or None,
        attributes=_attributes(span.attributes),
        events=[
            [round((event.time_unix_nano - begin) / 1e9, 9), words(event.name, 120), _attributes(event.attributes)]
            for event in span.events[:EVENTS]
        ],
    )


def _attributes(found: Iterable[Any]) -> dict[str, str]:
    shown: dict[str, str] = {}
    for each in found:
        if len(shown) >= ATTRIBUTES:
            break
        shown[words(each.key, 120) or "-"] = words(_plain(each.value)) or ""
    return shown


def _plain(value: Any) -> Any:  # noqa: ANN401 - what an attribute can hold
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    held = getattr(value, kind)
    if kind == "array_value":
        return ", ".join(str(_plain(each)) for each in held.values[:ATTRIBUTES])
    if kind == "kvlist_value":
        return ", ".join(f"{each.key}={_plain(each.value)}" for each in held.values[:ATTRIBUTES])
    if kind == "bytes_value":
        return held.hex()
    return held
