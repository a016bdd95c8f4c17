"""From the standard library's logging to OpenTelemetry."""

from __future__ import annotations

import contextlib
import copy
import logging
import logging.config
import traceback
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.logging.handler import LoggingHandler

from otel_trading import values

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.logs.switch import SwitchLoggerProvider

_OWN = frozenset({"otel_trading", "urllib3.connectionpool"})
_OWN_PREFIX = "opentelemetry."
"""Loggers of the delivery itself: shipping their records would feed it with its own failures."""


class BridgeHandler(LoggingHandler):
    """Ships log records; like the handlers of the standard library it never raises into the caller."""

    def __init__(self, level: int, provider: SwitchLoggerProvider) -> None:
        super().__init__(level=level, logger_provider=provider)
        self._root = logging.getLogger()
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        """Ship one record, and let it be printed where it would have been printed without us."""
        if len(self._root.handlers) == 1 and self._is_alone(record):
            self._last_resort(record)
        if not self._provider.enabled or record.name in _OWN or record.name.startswith(_OWN_PREFIX):
            return
        try:
            super().emit(record)
        except Exception:
            self.handleError(record)

    def _get_attributes(self, record: logging.LogRecord) -> tuple[dict[str, Any], str | None]:
        """The base class's, with nothing in them that the SDK would complain about each time, or not encode."""
        try:
            attributes, event = super()._get_attributes(record)
        except Exception:  # an exception that cannot be shown still has a type and a stack
            bare = copy.copy(record)
            bare.exc_info = None
            attributes, event = super()._get_attributes(bare)
            if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
                attributes["exception.type"] = record.exc_info[0].__name__
                attributes["exception.stacktrace"] = "".join(traceback.format_exception(*record.exc_info))
        cleaned = {}
        for name, value in attributes.items():
            with contextlib.suppress(Exception):  # one that cannot be shown costs itself
                cleaned[values.key_text(name)] = values.clean(value)
        return cleaned, event

    def flush(self) -> None:
        """Leave flushing to the telemetry handle: the base class would start a thread for it."""

    @staticmethod
    def _last_resort(record: logging.LogRecord) -> None:
        if logging.lastResort is not None and record.levelno >= logging.lastResort.level:
            logging.lastResort.handle(record)

    def _is_alone(self, record: logging.LogRecord) -> bool:
        """Whether no other handler takes the record, so that logging would have used its last resort."""
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger:
            if any(handler is not self for handler in logger.handlers):
                return False
            if not logger.propagate:
                return True
            logger = logger.parent
        return True


class Bridge:
    """Attaches the handler to the root logger and keeps it there through logging's own configuration calls.

    A bot that never configured logging gets the root level it asked for; one that did keeps its own.
    """

    def __init__(self, level: str, provider: SwitchLoggerProvider) -> None:
        self._handler = BridgeHandler(logging.getLevelNamesMapping()[level], provider)
        self._originals: dict[str, tuple[Any, Callable[..., Any], Callable[..., Any]]] = {}
        self._root_level_before: int | None = None

    def attach(self) -> None:
        """Begin to ship."""
        root = logging.getLogger()
        if not root.handlers and root.level == logging.WARNING:
            self._root_level_before = root.level
            root.setLevel(self._handler.level)
        root.addHandler(self._handler)
        for module, name in ((logging, "basicConfig"), (logging.config, "dictConfig"), (logging.config, "fileConfig")):
            original = getattr(module, name)
            wrapped = self._stepping_aside(original)
            self._originals[name] = (module, original, wrapped)
            setattr(module, name, wrapped)

    def detach(self) -> None:
        """Leave logging as it was found."""
        root = logging.getLogger()
        root.removeHandler(self._handler)
        if self._root_level_before is not None and root.level == self._handler.level:
            root.setLevel(self._root_level_before)
        for name, (module, original, wrapped) in self._originals.items():
            if getattr(module, name) is wrapped:
                setattr(module, name, original)
        self._originals.clear()

    def _stepping_aside(self, configure: Callable[..., Any]) -> Callable[..., Any]:
        """The configuration call sees the root logger without us, and we are back afterwards."""

        def stepping_aside(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any of three signatures
            root = logging.getLogger()
            attached = self._handler in root.handlers
            if attached:
                root.removeHandler(self._handler)
            try:
                return configure(*args, **kwargs)
            finally:
                if attached and self._handler not in root.handlers:
                    root.addHandler(self._handler)

        return stepping_aside
