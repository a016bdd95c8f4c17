"""How an event is declared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal


class Level(IntEnum):
    """How much an event matters; the numbers are OpenTelemetry's severities."""

    DEBUG = 5
    INFO = 9
    WARNING = 13
    ERROR = 17
    CRITICAL = 21


@dataclass(frozen=True, slots=True)
class Measure:
    """What an event adds to an instrument.

    The series follows from the event's fields that are attributes of the instrument.

    Args:
        instrument: its name by the conventions.
        value: the field that holds the value, or the value itself.
        given: attributes beside those of the event's fields.
        where: fields that have to hold these values for it to count.
        renamed: fields that stand for another attribute of the series than elsewhere.

    """

    instrument: str
    value: str | int = 1
    given: tuple[tuple[str, str], ...] = ()
    where: tuple[tuple[str, str], ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """What happened, and what becomes of it.

    Args:
        name: by the conventions, such as ``trading.order.filled``.
        message: of its log line: the same each time, since the fields say the rest.
        fields: the keys of its attributes.
        measures: its metrics.
        level: of its log line, unless the moment says otherwise.
        component: the service of its log line; ``{venue}`` stands for the venue.
        span: where it becomes a span event: on the order's span, or on the current one.
        logged: whether it becomes a log line at all; what comes with each frame does not.
        row: the journal's table that keeps it.
        alert: the condition it can raise.
        tags: of its log line.
        amounts: values for its metrics and listeners alone, behind those of the fields.

    """

    name: str
    message: str
    fields: tuple[str, ...]
    measures: tuple[Measure, ...] = ()
    level: Level = Level.INFO
    component: str = ""
    span: Literal["order", "current", ""] = "current"
    logged: bool = True
    row: str = ""
    alert: str = ""
    tags: tuple[str, ...] = ()
    amounts: tuple[str, ...] = ()
