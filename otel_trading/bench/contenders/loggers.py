"""Ways to write log lines of JSON, as contenders: the standard library with a formatter, and structlog."""

from __future__ import annotations

import json
import logging
import os
import platform
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TextIO

from otel_trading.bench.contenders.base import Contender, Made, NotThereError

STANDARD = "logging, JSON"
STRUCTLOG = "structlog, JSON"

_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


class JsonFormatter(logging.Formatter):
    """A record as a line of JSON, as people write such formatters."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "service": record.name,
            "message": record.getMessage(),
            "data": {name: value for name, value in vars(record).items() if name not in _FIELDS},
        }
        return json.dumps(line)


class StandardLogging(Contender):
    """The standard library's logging with a JSON formatter, into a file."""

    name = STANDARD
    distribution = "python"

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._numbered = {}
        self.version = platform.python_version()

    @cached_property
    def log(self) -> logging.Logger:
        self._file = _nowhere()
        logger = logging.getLogger("bench.standard")
        logger.propagate = False
        logger.setLevel(logging.INFO)
        handler = logging.StreamHandler(self._file)
        handler.setFormatter(JsonFormatter())
        logger.addHandler(handler)
        return logger

    def close(self) -> None:
        if "log" in self.__dict__:
            self.log.handlers.clear()
            self._file.close()


class Structlog(Contender):
    """Structlog as its documentation makes it fast: no caller, bytes or text straight into a file."""

    name = STRUCTLOG
    distribution = "structlog"

    @cached_property
    def log(self) -> Made:
        try:
            import structlog
        except ImportError as error:
            raise NotThereError("structlog is not installed") from error
        self._file = _nowhere()
        return structlog.wrap_logger(
            structlog.WriteLogger(self._file),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
            cache_logger_on_first_use=True,
        ).bind()

    def close(self) -> None:
        if "log" in self.__dict__:
            self._file.close()
