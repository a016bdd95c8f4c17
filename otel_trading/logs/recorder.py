"""Log records stand in a file from the call that logs them until they are delivered."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import ReadableLogRecord

from otel_trading import _native, values

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from otel_trading.export.ledger import Lane

UID = "log.record.uid"
_PLAIN = frozenset({str, bool, int, float, bytes, type(None)})
_SCOPES = 256


@dataclass(frozen=True)
class RecordedLog(ReadableLogRecord):
    """A log record, how much it matters, and its number in the recording; 0 when it is not recorded."""

    lane: Lane = "important"
    sequence: int = 0


class LogRecorder:
    """Records what is logged, so that a killed process loses nothing of it that matters.

    Whoever delivers calls ``settled`` with the number of the last record that has arrived, or is safe elsewhere.
    Records have to be handed over in the order of their numbers for that; one lock for ``write`` and the hand-over
    sees to it.
    """

    def __init__(self) -> None:
        self.core = _native.Logs()
        self._recorded: tuple[object, ...] = ()
        self._on = False
        self.owner: Closing | None = None
        """Of the pipelines that record, the last one."""
        self._scopes: dict[int, tuple[InstrumentationScope, int]] = {}
        self._nowhere = self.core.scope("", "", "", {})
        os.register_at_fork(after_in_child=self.core.reset_in_child)

    def record(
        self, folder: Path | None, *, size: int, service: str = "", instance: bytes = bytes(16), budget: int = 1 << 62
    ) -> None:
        """Record into a file of this folder, a ring of ``size`` bytes; without a folder no longer.

        A recording goes on unless something of this is new. ``OSError`` when the file cannot be made: then nothing is
        recorded.
        """
        wanted = (folder, size, service, instance, budget)
        if self._recorded == wanted and self.core.recording is not None:
            return
        self._on, self._recorded = False, ()
        self.core.record(size, None, service, instance, budget)
        if folder is not None:
            self.core.record(size, folder, service, instance, budget)
            self._on, self._recorded = True, wanted

    def describe(self, resource: Resource) -> None:
        """Whose records they are."""
        cleaned, _ = values.attributes(resource.attributes) or ({}, ())
        self.core.describe(resource.schema_url or "", cleaned)

    def write(self, record: LogRecord, scope: InstrumentationScope | None, lane: Lane) -> int:
        """Record it, and give it the attribute that tells it from others; its number, 0 when it is not recorded."""
        if not self._on:
            return 0
        try:
            severity, attributes = record.severity_number, record.attributes
            own = getattr(attributes, "_dict", None)
            pairs = own if type(own) is dict else dict(attributes or {})
            body = record.body
            sequence = self.core.write(
                lane == "important",
                record.timestamp,
                record.observed_timestamp,
                0 if severity is None else severity.value,
                record.severity_text,
                body if type(body) in _PLAIN else values.clean(body),
                record.trace_id,
                record.span_id,
                record.trace_flags,
                record.event_name,
                pairs,
                self._nowhere if scope is None else self._scope(scope),
            )
            if sequence:
                pairs[UID] = self.core.uid(sequence)  # not by the mapping's own way: that drops another one when full
                if pairs is not own:
                    record.attributes = pairs
        except Exception:  # it cannot be recorded as it is, and is delivered all the same
            return 0
        return sequence

    def snapshot(self, folder: Path, service: str) -> Path | None:
        """Copy what is recorded now into a new file of the folder; its path, if anything is recorded."""
        return self.core.snapshot(folder, service)

    def settled(self, upto: int) -> None:
        """All records up to this number need not be recovered: they have arrived, are safe elsewhere, or are lost."""
        self.core.settled(upto)

    def _scope(self, scope: InstrumentationScope) -> int:
        known = self._scopes.get(id(scope))
        if known is not None:
            return known[1]
        if len(self._scopes) >= _SCOPES:
            return self._nowhere
        cleaned, _ = values.attributes(scope.attributes) or ({}, ())
        number = self.core.scope(scope.name or "", scope.version or "", scope.schema_url or "", cleaned)
        self._scopes[id(scope)] = scope, number  # the scope stays, so that its id stays its own
        return number


class Closing:
    """The last of a pipeline's outlets: when all log records are settled there is nothing to recover."""

    def __init__(self, recorder: LogRecorder) -> None:
        self._recorder = recorder
        recorder.owner = self

    def request_flush(self) -> int:
        """Nothing waits here."""
        return 0

    def wait_flushed(self, ticket: int, deadline: float) -> bool:
        """See ``request_flush``."""
        return True

    def request_close(self, deadline: float) -> None:
        """Nothing waits here."""

    def wait_closed(self) -> bool:
        """Remove the recording, unless records of it are not settled, or another pipeline records by now."""
        if self._recorder.owner is self:
            self._recorder.core.finish()
        return True

    def restart_in_child(self) -> None:
        """The recorder sees to it itself."""


RECORDER = LogRecorder()
"""The process's: numbers go on while pipelines come and go."""
