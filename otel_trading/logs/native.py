"""The ``LoggerProvider`` of the native engine: what comes through the API goes the way of all lines."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs as api
from opentelemetry.sdk._logs import LogRecordLimits, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_trading import values
from otel_trading.logs.hooks import exception as described
from otel_trading.logs.redacting import RedactingLogProcessor
from otel_trading.logs.shown import api_record
from otel_trading.settings.complaints import Complaints
from otel_trading.settings.plugins import configurator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.util.types import AnyValue

    from otel_trading.logs.lines import Lines

_PLAIN = frozenset({str, bool, int, float, bytes, type(None)})
_TIMES = range(2**64)
_REDACTING = RedactingLogProcessor()


class NativeLoggerProvider(api.LoggerProvider):
    """Hands out loggers over ``lines``. Processors get the SDK's objects, which then cost the bot's thread.

    Unless it is ``beside`` another provider, lines that do not come through the API are shown to its processors, too.
    """

    def __init__(self, lines: Lines, *, beside: bool = False) -> None:
        self.lines = lines
        self.resource = Resource.get_empty()
        self.deliver: Callable[[float], bool] | None = None
        self.complaints = Complaints("logs")
        self.limits = _limits()
        self.processors: tuple[LogRecordProcessor, ...] = ()
        self._configurator = configurator("logger", os.environ)
        self._lock = threading.RLock()
        self._scopes: dict[str, InstrumentationScope] = {}
        lines.core.set_limits(self.limits.max_log_record_attributes, self.limits.max_log_record_attribute_length)
        if not beside:
            self.own()

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, AnyValue] | None = None,
    ) -> NativeLogger:
        """A logger of a scope."""
        return NativeLogger(self, InstrumentationScope(name, version, schema_url, attributes))

    def enables(self, scope: InstrumentationScope) -> bool:
        """Whether records of a scope are taken."""
        if self._configurator is None:
            return True
        try:
            return bool(self._configurator(scope).is_enabled)
        except Exception as error:
            self.complaints.say(f"the logger configurator fails: {type(error).__name__}: {error}")
            return True

    @property
    def enabled(self) -> bool:
        """Whether anything is taken; may be switched at any time."""
        return self.lines.core.enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        self.lines.core.enabled = enabled

    def own(self) -> None:
        """Have lines shown to the processors of this provider, and of no other."""
        self.lines.owner = self
        self._use(self.processors)

    def set_resource(self, resource: Resource) -> None:
        """Whose records they are."""
        self.resource = resource
        self.lines.describe(resource)

    def add_log_record_processor(self, processor: LogRecordProcessor) -> None:
        """Add one of opentelemetry-sdk's processors."""
        with self._lock:
            if processor not in self.processors:
                self._use((*self.processors, processor))

    def remove_log_record_processor(self, processor: LogRecordProcessor) -> None:
        """Take one back."""
        with self._lock:
            self._use(tuple(each for each in self.processors if each is not processor))

    def _use(self, processors: tuple[LogRecordProcessor, ...]) -> None:
        self.processors = processors
        if self.lines.owner is self:
            self.lines.core.set_observer(self._show if processors else None, False)

    def _show(
        self,
        severity: int,
        message: Any,  # noqa: ANN401 - any value of the API
        event: str | None,
        service: str | None,
        attributes: dict[str, Any],
        tags: Sequence[str] | None,
        time_ns: int,
        *span: int,
    ) -> None:
        """A line that did not come through the API."""
        record = api_record(severity, message, event, attributes, tags, time_ns, (span[0], span[1], span[2]))
        name = service or ""
        scope = self._scopes.get(name)
        if scope is None:
            scope = self._scopes.setdefault(name, InstrumentationScope(name))
        self.show(record, scope)

    def show(self, record: api.LogRecord, scope: InstrumentationScope) -> None:
        """Have the processors see a record; one that raises costs itself."""
        seen = ReadWriteLogRecord(record, self.resource, scope, self.limits)
        _REDACTING.on_emit(seen)
        for processor in self.processors:
            try:
                processor.on_emit(seen)
            except Exception as error:
                kind = type(processor).__name__
                self.complaints.say(f"log processor {kind} fails: {type(error).__name__}: {error}")

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Have all delivered, for callers that hold the provider; False when it is not done in time."""
        done = [processor.force_flush(timeout_millis) is not False for processor in self.processors]
        return all([self.deliver is None or self.deliver(timeout_millis / 1_000), *done])

    def shutdown(self) -> None:
        """Shut the processors down that were added; delivery ends with the telemetry handle."""
        for processor in self.processors:
            processor.shutdown()


class NativeLogger(api.Logger):
    """Emits into the ring."""

    def __init__(self, provider: NativeLoggerProvider, scope: InstrumentationScope) -> None:
        super().__init__(scope.name, scope.version, scope.schema_url, scope.attributes)
        self._provider = provider
        self._scope = scope
        self._on = provider.enables(scope)
        self._core = provider.lines.core
        cleaned, _ = values.attributes(scope.attributes) or ({}, ())
        self._number = self._core.scope(scope.name or "", scope.version or "", scope.schema_url or "", cleaned)

    def emit(self, record: api.LogRecord | ReadWriteLogRecord | None = None, **fields: Any) -> None:  # noqa: ANN401 - both forms of the API
        """See ``opentelemetry._logs.Logger``."""
        if not self._on or not self._core.enabled:
            return
        try:
            given: Any = api.LogRecord(**fields) if record is None else getattr(record, "log_record", record)
            self._emit(given)
        except Exception as error:
            self._provider.complaints.say(f"a log record cannot be taken: {type(error).__name__}: {error}")

    def enabled(self, **_: Any) -> bool:  # noqa: ANN401 - what is asked for does not matter
        """See ``opentelemetry._logs.Logger``."""
        return self._on and self._core.enabled

    def _emit(self, record: api.LogRecord) -> None:
        attributes: Any = record.attributes
        own = getattr(attributes, "_dict", None)
        attributes = own if type(own) is dict else attributes
        if record.exception is not None:
            attributes = {**(described(record.exception) or {}), **(attributes or {})}
        body, severity = record.body, record.severity_number
        number = getattr(severity, "value", severity)
        self._core.emit(
            _time(record.timestamp),
            _time(record.observed_timestamp),
            number if isinstance(number, int) and 0 <= number <= api.SeverityNumber.FATAL4.value else 0,
            _text(record.severity_text),
            body if type(body) in _PLAIN else values.clean(body),
            record.trace_id or None,
            record.span_id or None,
            record.trace_flags,
            _text(record.event_name),
            attributes,
            self._number,
        )
        if self._provider.processors:
            record.attributes = attributes
            self._provider.show(record, self._scope)


def _time(given: object) -> int | None:
    return given if isinstance(given, int) and given in _TIMES else None


def _text(given: object) -> str | None:
    return given if given is None or isinstance(given, str) else values.key_text(given)


def _limits() -> LogRecordLimits:
    try:
        return LogRecordLimits()
    except ValueError:  # is said where the environment is checked
        unset = LogRecordLimits.UNSET
        return LogRecordLimits(128, unset, 128, unset)
