"""The spans and log records that were captured."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator

from otel_trading.testing.errors import NotCapturedError, listing, not_captured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.testing.clock import FakeClock


@dataclass(frozen=True, slots=True)
class CapturedSpan:
    """A finished span: ids in hex, ``duration`` in seconds, ``status`` as ``UNSET``, ``OK`` or ``ERROR``."""

    name: str
    duration: float
    attributes: Mapping[str, Any]
    status: str
    events: tuple[str, ...]
    trace_id: str
    span_id: str
    parent_id: str | None
    raw: ReadableSpan = field(repr=False)


@dataclass(frozen=True, slots=True)
class CapturedLog:
    """A log record: ``time`` in seconds since the epoch, ids in hex, ``None`` outside a span."""

    body: Any
    level: str
    logger: str
    attributes: Mapping[str, Any]
    event: str | None
    time: float
    trace_id: str | None
    span_id: str | None
    raw: Any = field(repr=False)


_Item = TypeVar("_Item", CapturedSpan, CapturedLog)


class _Items(Sequence[_Item]):
    """What was captured so far, in order."""

    def __init__(self, items: Sequence[_Item]) -> None:
        self._items: Sequence[_Item] = items

    @overload
    def __getitem__(self, place: int) -> _Item: ...

    @overload
    def __getitem__(self, place: slice) -> Self: ...

    def __getitem__(self, place: int | slice) -> _Item | Self:
        return type(self)(self._items[place]) if isinstance(place, slice) else self._items[place]

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it grows

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._items)})"

    def _only(self, chosen: list[_Item], what: str, lines: list[str]) -> _Item:
        if len(chosen) != 1:
            raise NotCapturedError(f"{len(chosen)} {what}, not one\n{listing(lines, chr(10) + '  ')}")
        return chosen[0]


class CapturedSpans(_Items[CapturedSpan]):
    """Finished spans in the order they ended."""

    @property
    def names(self) -> list[str]:
        """The spans' names."""
        return [span.name for span in self]

    def where(self, name: str | None = None, /, **attributes: Any) -> CapturedSpans:  # noqa: ANN401 - values of attributes
        """The spans of this name and with these attributes, where dots are underscores."""
        return CapturedSpans([span for span in self if name in {None, span.name} and _has(span.attributes, attributes)])

    def one(self, name: str | None = None, /, **attributes: Any) -> CapturedSpan:  # noqa: ANN401
        """The only such span; ``NotCapturedError`` when there are none or several."""
        chosen = self.where(name, **attributes)
        if name is not None and name not in self.names:
            raise not_captured("span", name, self.names)
        return self._only(list(chosen), f"spans {name or ''} {attributes or ''}", [str(span) for span in self])


class CapturedLogs(_Items[CapturedLog]):
    """Log records in the order they were made."""

    @property
    def texts(self) -> list[str]:
        """The records' texts."""
        return [str(log.body) for log in self]

    def where(
        self,
        text: str = "",
        /,
        *,
        level: str | None = None,
        logger: str | None = None,
        event: str | None = None,
        **attributes: Any,  # noqa: ANN401 - values of attributes
    ) -> CapturedLogs:
        """The records that contain the text, and are of this level, logger and event, with these attributes."""
        wanted = {"level": level, "logger": logger, "event": event}
        return CapturedLogs(
            [
                log
                for log in self
                if text in str(log.body)
                and all(value in {None, getattr(log, name)} for name, value in wanted.items())
                and _has(log.attributes, attributes)
            ]
        )

    def one(self, text: str = "", /, **wanted: Any) -> CapturedLog:  # noqa: ANN401 - see where
        """The only such record; ``NotCapturedError`` when there are none or several."""
        lines = [f"{log.level} {log.logger}: {log.body}" for log in self]
        return self._only(list(self.where(text, **wanted)), f"log records {text!r} {wanted or ''}", lines)


def _has(attributes: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    known = {**{key.replace(".", "_"): value for key, value in attributes.items()}, **attributes}
    return all(key in known and known[key] == value for key, value in wanted.items())


class SpanCollector(SpanProcessor):
    """Keeps each span that ends."""

    def __init__(self) -> None:
        self.spans: list[CapturedSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span."""
        context = span.get_span_context()
        if context is None:
            return
        self.spans.append(
            CapturedSpan(
                name=span.name,
                duration=((span.end_time or 0) - (span.start_time or 0)) / 1e9,
                attributes=dict(span.attributes or {}),
                status=span.status.status_code.name,
                events=tuple(event.name for event in span.events),
                trace_id=f"{context.trace_id:032x}",
                span_id=f"{context.span_id:016x}",
                parent_id=f"{span.parent.span_id:016x}" if span.parent else None,
                raw=span,
            )
        )


class LogCollector(LogRecordProcessor):
    """Keeps each log record, stamped by the test's clock if there is one."""

    def __init__(self, clock: FakeClock | None) -> None:
        self.logs: list[CapturedLog] = []
        self._clock = clock

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Keep a record."""
        record = log_record.log_record
        if self._clock is not None:  # the standard library's records are stamped by the real one
            record.timestamp = record.observed_timestamp = self._clock.time_ns()
        scope = log_record.instrumentation_scope
        self.logs.append(
            CapturedLog(
                body=record.body,
                level=_level(record),
                logger=scope.name if scope else "",
                attributes=dict(record.attributes or {}),
                event=record.event_name,
                time=(record.timestamp or record.observed_timestamp or 0) / 1e9,
                trace_id=f"{record.trace_id:032x}" if record.trace_id else None,
                span_id=f"{record.span_id:016x}" if record.span_id else None,
                raw=log_record,
            )
        )

    def shutdown(self) -> None:
        """Keep what was captured."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Answer at once: nothing is delivered."""
        return True


def _level(record: Any) -> str:  # noqa: ANN401 - the SDK's record
    """The level by the standard library's name, so that tests compare with what the bot called."""
    if record.severity_number is None:
        return record.severity_text or ""
    number = record.severity_number.value
    levels = {1: logging.DEBUG, 9: logging.INFO, 13: logging.WARNING, 17: logging.ERROR, 21: logging.CRITICAL}
    start = max((first for first in levels if first <= number), default=1)
    return logging.getLevelName(levels[start])


class SequentialIds(IdGenerator):
    """Trace and span ids 1, 2, 3 …, the same in every run."""

    def __init__(self) -> None:
        self._traces = 0
        self._spans = 0

    def generate_trace_id(self) -> int:
        """The next trace's id."""
        self._traces += 1
        return self._traces

    def generate_span_id(self) -> int:
        """The next span's id."""
        self._spans += 1
        return self._spans
