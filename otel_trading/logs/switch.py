"""A ``LoggerProvider`` that stays while what stands behind it is exchanged; added processors are carried along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import _logs as api

from otel_trading import forks
from otel_trading.export.added import Added

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
    from opentelemetry.util.types import AnyValue


class SwitchLoggerProvider(api.LoggerProvider):
    """Hands out loggers that survive ``use``."""

    def __init__(self, real: LoggerProvider) -> None:
        self.added: Added[LogRecordProcessor] = Added()
        self._lock = forks.lock()
        self._real = real
        self._enabled = True
        self._loggers: dict[tuple[Any, ...], SwitchLogger] = {}

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
            for logger in self._loggers.values():
                logger.off = not enabled

    def use(self, real: LoggerProvider) -> None:
        """Put another provider behind every logger handed out so far."""
        with self._lock:
            self._real = real
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
