"""From the standard library's logging to OpenTelemetry."""

from __future__ import annotations

import contextlib
import logging
import logging.config
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.log_utils import std_to_otel
from opentelemetry.instrumentation.logging.handler import LoggingHandler

from otel_trading import redaction, values
from otel_trading.logs.hooks import exception as described
from otel_trading.logs.levels import LEVELS, stdlib_level
from otel_trading.logs.sources.structlog import unwrapped
from otel_trading.logs.stdlib_levels import StdlibLevels

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.logs.lines import Lines
    from otel_trading.logs.switch import SwitchLoggerProvider

_OWN = frozenset({"otel_trading", "urllib3.connectionpool"})
_OWN_PREFIX = "opentelemetry."
"""Loggers of the delivery itself: shipping their records would feed it with its own failures."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record of the standard library has, or may get from a formatter."""

_BY_LEVEL = {level: std_to_otel(level).value for level in range(logging.CRITICAL + 1)}
_WORST = std_to_otel(1_000).value
_NAMES = {"WARNING": "WARN", "CRITICAL": "FATAL"}
"""What OpenTelemetry calls levels."""

EVENT_NAMES = ("otel.event.name", "event.name")
"""What of ``extra`` is the event, and no attribute."""


class BridgeHandler(logging.Handler):
    """Ships log records; like the handlers of the standard library it never raises into the caller, nor locks."""

    def __init__(self, provider: SwitchLoggerProvider, printed: bool) -> None:
        super().__init__(LEVELS.lowest_stdlib())
        self._root = logging.getLogger()
        self._provider = provider
        self._printed = printed
        self._inside = threading.local()
        self._translator = _Translator(provider)

    def handle(self, record: logging.LogRecord) -> bool:
        """Filter and ship a record; the base class's without its lock."""
        taken = self.filter(record)
        if taken:
            self.emit(taken if isinstance(taken, logging.LogRecord) else record)
        return bool(taken)

    def emit(self, record: logging.LogRecord) -> None:
        """Ship one record, and let it be printed where it would have been printed without us."""
        own = record.name in _OWN or record.name.startswith(_OWN_PREFIX)
        if len(self._root.handlers) == 1 and (own or not self._printed):
            last = logging.lastResort
            if last and record.levelno >= last.level and self._is_alone(record):
                last.handle(redaction.printed(record))
        provider = self._provider
        if own or not provider.enabled:
            return
        if (_BY_LEVEL.get(record.levelno, _WORST) or 1) < LEVELS.threshold(record.name):
            return
        if getattr(self._inside, "busy", False):
            return  # what is shipped logs when it is made to text: that would have no end
        self._inside.busy = True
        try:
            if type(record.msg) is dict:
                record = unwrapped(record)
            lines = provider.native_lines(record.name)
            if lines is not None:
                ship(lines, record, self.format(record) if self.formatter else None)
            else:
                provider.get_logger(record.name).emit(self._translator.translated(record))
        except Exception:
            self.handleError(record)
        finally:
            self._inside.busy = False

    def flush(self) -> None:
        """Leave flushing to the telemetry handle."""

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


def ship(lines: Lines, record: logging.LogRecord, message: str | None = None) -> None:
    """Write a record of the standard library as a line; raises what its message raises.

    What of it is no part of every record, as ``extra`` is, becomes data, an exception ``exception.*``.
    """
    own = vars(record)
    data: dict[str, Any] | None = None
    event = None
    if own.keys() - _STANDARD:
        data = {name: value for name, value in own.items() if name not in _STANDARD}
        for name in EVENT_NAMES:
            given = data.pop(name, None)
            event = given if event is None else event
    if record.exc_info:
        data = {**(data or {}), **(described(_exception_of(record)) or {})}
    name = record.levelname
    lines.core.write(
        _BY_LEVEL.get(record.levelno, _WORST if record.levelno > 0 else 0),
        record.getMessage() if message is None else message,
        event,
        record.name,
        data,
        time_ns=int(record.created * 1e9),
        severity_text=_NAMES.get(name, name),
    )


def _exception_of(record: logging.LogRecord) -> object:
    return record.exc_info if isinstance(record.exc_info, tuple) else True


class _Translator(LoggingHandler):
    """Records of the standard library as those of the API, as opentelemetry-python makes them: for engine sdk."""

    def __init__(self, provider: SwitchLoggerProvider) -> None:
        super().__init__(logger_provider=provider)

    def translated(self, record: logging.LogRecord) -> Any:  # noqa: ANN401 - the API's LogRecord
        """One record."""
        return self._translate(record)

    def _get_attributes(self, record: logging.LogRecord) -> tuple[dict[str, Any], str | None]:
        """As ``ship`` has them: nothing in them that the SDK would complain about each time, or not encode."""
        given = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        events = [given.pop(name, None) for name in EVENT_NAMES]
        if record.exc_info:
            given.update(described(_exception_of(record)) or {})
        cleaned = {}
        for name, value in given.items():
            with contextlib.suppress(Exception):  # one that cannot be shown costs itself
                cleaned[values.key_text(name)] = values.clean(value)
        return cleaned, next((event for event in events if event is not None), None)


class Bridge:
    """Attaches the handler to the root logger and keeps it there through logging's own configuration calls.

    A bot that never configured logging gets the root level it asked for; one that did keeps its own.
    What is ``printed`` by the kit is not printed by logging's last resort, too.
    """

    def __init__(self, provider: SwitchLoggerProvider, printed: bool = False) -> None:
        self._handler = BridgeHandler(provider, printed)
        self._levels = StdlibLevels(self._handler)
        self._originals: dict[str, tuple[Any, Callable[..., Any], Callable[..., Any]]] = {}
        self._root_level_before: int | None = None
        self._root_level = logging.WARNING

    def attach(self) -> None:
        """Begin to ship."""
        root = logging.getLogger()
        if not root.handlers and root.level == logging.WARNING:
            self._root_level_before = root.level
            self._root_level = stdlib_level(LEVELS.threshold(""))
            root.setLevel(self._root_level)
        root.addHandler(self._handler)
        self._levels.attach()
        for module, name in ((logging, "basicConfig"), (logging.config, "dictConfig"), (logging.config, "fileConfig")):
            original = getattr(module, name)
            wrapped = self._stepping_aside(original)
            self._originals[name] = (module, original, wrapped)
            setattr(module, name, wrapped)

    def detach(self) -> None:
        """Leave logging as it was found."""
        root = logging.getLogger()
        root.removeHandler(self._handler)
        self._levels.detach()
        if self._root_level_before is not None and root.level == self._root_level:
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
