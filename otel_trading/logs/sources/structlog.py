"""From structlog: a processor for its chain, and the records it hands to the standard library."""

from __future__ import annotations

import copy
import logging
from typing import TYPE_CHECKING, Any

from otel_trading.extras import require
from otel_trading.logs.hooks import exception as described
from otel_trading.logs.levels import LEVELS, severity_of
from otel_trading.logs.sources.writer import process_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence

    from otel_trading.logs.sources.writer import Writer

_SEVERITIES = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "msg": 9,
    "notset": 9,
    "warning": 13,
    "warn": 13,
    "error": 17,
    "err": 17,
    "exception": 17,
    "critical": 21,
    "fatal": 21,
    "failure": 21,
}
_NO_FIELDS = frozenset({"event", "event_name", "level", "level_number", "logger", "exc_info", "exception", "tags"})
_RECORD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


class StructlogProcessor:
    """A processor that writes a line of each event, its fields kept, and hands it on as it was.

    It stands behind what adds fields, such as ``merge_contextvars``, and before the renderer. ``event`` is the message,
    ``event_name`` the event, ``logger`` the service. Where structlog logs by the standard library it leaves the line to
    that. With ``final`` it is the end of the chain: nobody else prints the event.
    """

    def __init__(self, lines: Writer | None = None, *, final: bool = False) -> None:
        self._drop = require("structlog", extra="structlog").DropEvent
        self._lines = lines or process_lines()
        self._final = final

    def __call__(self, logger: Any, method_name: str, event_dict: MutableMapping[str, Any]) -> Any:  # noqa: ANN401
        """Write one event; never raises but to end the chain."""
        if self._final or not isinstance(logger, logging.Logger):
            try:
                self._write(logger, method_name, event_dict)
            except Exception:  # a field that cannot be read costs the line, never the bot
                self._lines.write(_SEVERITIES["error"], f"a line of structlog cannot be read: {method_name}")
        if self._final:
            raise self._drop
        return event_dict

    def _write(self, logger: Any, method: str, fields: Mapping[str, Any]) -> None:  # noqa: ANN401
        service = str(fields.get("logger") or getattr(logger, "name", None) or "")
        severity = _severity(method, fields)
        if severity < LEVELS.threshold(service):
            return
        event, tags = str(fields.get("event_name") or ""), _tags(fields.get("tags"))
        self._lines.write(severity, str(fields.get("event", "")), event, service, data_of(fields), tags)


def data_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of an event that are data, and what is known of its exception.

    >>> data_of({"event": "filled", "level": "info", "price": 67000.5})
    {'price': 67000.5}
    """
    data = {str(key): value for key, value in fields.items() if key not in _NO_FIELDS and str(key)[:1] != "_"}
    if "tags" in fields and not _tags(fields["tags"]):
        data["tags"] = fields["tags"]
    error = described(fields.get("exc_info")) or {}
    if not error and isinstance(fields.get("exception"), str):
        error = {"exception.stacktrace": fields["exception"]}
    elif "exception" in fields and not error:
        data["exception"] = fields["exception"]
    return data | error


def unwrapped(record: logging.LogRecord) -> logging.LogRecord:
    """A record with the fields of structlog's event, where ``ProcessorFormatter.wrap_for_formatter`` made it of one.

    >>> record = logging.makeLogRecord({"msg": {"event": "filled", "price": 1.5}, "_logger": None, "_name": "info"})
    >>> plain = unwrapped(record)
    >>> plain.getMessage(), plain.price
    ('filled', 1.5)
    """
    if type(record.msg) is not dict or "_logger" not in record.__dict__:
        return record
    fields, plain = record.msg, copy.copy(record)
    plain.msg, plain.args = str(fields.get("event", "")), None
    del plain.__dict__["_logger"]
    plain.__dict__.pop("_name", None)
    for key, value in data_of(fields).items():
        plain.__dict__[f"{key}_" if key in _RECORD else key] = value
    if fields.get("event_name"):
        plain.__dict__["event.name"] = str(fields["event_name"])
    return plain


def _severity(method: str, fields: Mapping[str, Any]) -> int:
    number = fields.get("level_number")
    if isinstance(number, int):
        return severity_of(number)
    level = str(fields.get("level") or method).lower()
    return _SEVERITIES.get(level, _SEVERITIES.get(method.removeprefix("a"), _SEVERITIES["info"]))


def _tags(found: object) -> Sequence[str]:
    if isinstance(found, list | tuple | set | frozenset) and all(isinstance(each, str) for each in found):
        return tuple(found)
    return ()
