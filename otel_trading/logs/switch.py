"""A ``LoggerProvider`` that stays while what stands behind it is exchanged; added processors are carried along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import _logs as api
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_trading import forks
from otel_trading.export.added import Added
from otel_trading.logs.lines import lines
from otel_trading.logs.native import NativeLoggerProvider
from otel_trading.logs.shown import api_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
    from opentelemetry.util.types import AnyValue

    from otel_trading.logs.lines import Lines


class SwitchLoggerProvider(api.LoggerProvider):
    """Hands out loggers that survive ``use``."""

    def __init__(self, real: LoggerProvider | NativeLoggerProvider) -> None:
        self.lines = lines()
        self.added: Added[LogRecordProcessor] = Added()
        self._lock = forks.lock()
        self._real = real
        self._enabled = True
        self._loggers: dict[tuple[Any, ...], SwitchLogger] = {}
        self._taken: dict[str, bool] = {}
        self._connect()

    def _connect(self) -> None:
        """Have lines go to the provider in use."""
        real = self._real
        self._native = isinstance(real, NativeLoggerProvider)
        if isinstance(real, NativeLoggerProvider):
            real.own()
        else:
            self.lines.forward(self._forward)
        self._taken = {}

    def native_lines(self, name: str) -> Lines | None:
        """What to write the lines of a component to; ``None`` when they have to come through its logger."""
        if not self._native:
            return None
        taken = self._taken.get(name)
        if taken is None:
            real: Any = self._real
            taken = self._taken[name] = real.enables(InstrumentationScope(name))
        return self.lines if taken else None

    def _forward(
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
        """Emit a line on the logger of its component."""
        record = api_record(severity, message, event, attributes, tags, time_ns, (span[0], span[1], span[2]))
        self.get_logger(service or "otel_trading").emit(record)

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Mapping[str, AnyValue] | None = None,
    ) -> api.Logger:
        """A logger by name, version, schema and attributes; the same one for the same scope."""
        key = (name, version, schema_url, repr(attributes))
        with self._lock:
            if key not in self._loggers:
                self._loggers[key] = SwitchLogger((name, version, schema_url, attributes), self._real)
                self._loggers[key].off = not self._enabled
            return self._loggers[key]

    def add_log_record_processor(self, processor: LogRecordProcessor) -> None:
        """Add one of opentelemetry-sdk's processors."""
        with self._lock:
            self._real.add_log_record_processor(self.added.add(processor))

    @property
    def enabled(self) -> bool:
        """Whether records are taken; may be switched at any time, off means that calls return at once."""
        return self._enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        with self._lock:
            self._enabled = enabled
            self.lines.core.enabled = enabled
            for logger in self._loggers.values():
                logger.off = not enabled

    def use(self, real: LoggerProvider | NativeLoggerProvider) -> None:
        """Put another provider behind every logger handed out so far."""
        with self._lock:
            self._real = real
            self._connect()
            self.enabled = True
            for processor in self.added.processors:
                real.add_log_record_processor(processor)
            for logger in self._loggers.values():
                logger.switch(real)


class SwitchLogger(api.Logger):
    """Emits on the logger in use."""

    def __init__(self, scope: tuple[Any, ...], provider: api.LoggerProvider) -> None:
        super().__init__(*scope)
        self._scope = scope
        self.off = False
        self.switch(provider)

    def switch(self, provider: api.LoggerProvider) -> None:
        """Take the logger of another provider."""
        self._real = provider.get_logger(*self._scope)

    def emit(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - two signatures, handed on
        """See ``opentelemetry._logs.Logger``."""
        if not self.off:
            self._real.emit(*args, **kwargs)

    def enabled(self, *args: Any, **kwargs: Any) -> bool:  # noqa: ANN401
        """See ``opentelemetry._logs.Logger``."""
        return not self.off and self._real.enabled(*args, **kwargs)
