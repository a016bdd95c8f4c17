"""What events are called: ids known to everybody, ids by name, and kinds."""

from __future__ import annotations

import threading
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class MetricType(IntEnum):
    """What an event says."""

    START = 0
    END = 1
    COUNTER_INC = 2
    GAUGE_SET = 3
    HISTOGRAM_OBS = 4


class EventID(IntEnum):
    """The stages of a trading bot that have a number of their own.

    >>> EventID.ORDER_FILL.stage
    'order_fill'
    """

    CANDLE_PROCESSING = 1
    SIGNAL_GENERATION = 2
    ORDER_EXECUTION = 3
    ORDER_FILL = 4
    EVENT_BUS_PUBLISH = 5
    EVENT_BUS_HANDLE = 6
    QUEUE_BACKLOG = 7
    GC_PAUSE = 8

    @property
    def stage(self) -> str:
        """The value of ``trading.stage.name``."""
        return self.name.lower()


_OVERFLOW = 63
_FIRST, _LIMIT = 64, 1_024


class _Names:
    """The names given out, both ways."""

    def __init__(self) -> None:
        self.by_name: dict[str, int] = {known.stage: int(known) for known in EventID}
        self.by_id: dict[int, str] = {number: name for name, number in self.by_name.items()}
        self.by_id[_OVERFLOW] = "overflow"
        self.lock = threading.Lock()
        self.listener: Callable[[int, str], None] | None = None

    def tell_all(self) -> None:
        """Tell the listener every name there is."""
        if self.listener:
            for number, name in list(self.by_id.items()):
                self.listener(number, name)


_names = _Names()


def event_id(name: str) -> int:
    """The id of an event by name, given out at the first call; the same for the same name.

    960 names have an id of their own; all others share one, whose name is ``overflow``.

    >>> event_id("bot.rebalance") == event_id("bot.rebalance")
    True
    >>> event_id("order_fill") == EventID.ORDER_FILL
    True
    """
    known = _names.by_name.get(name)
    if known is not None:
        return known
    with _names.lock:
        number = _names.by_name.get(name)
        if number is None:
            number = _FIRST + len(_names.by_name) - len(EventID)
            if number >= _LIMIT:
                return _OVERFLOW
            _names.by_id[number] = name
            _names.by_name[name] = number
            if _names.listener:
                _names.listener(number, name)
        return number


def listen(listener: Callable[[int, str], None]) -> None:
    """Have every name told, those there are and those to come."""
    _names.listener = listener
    _names.tell_all()


def restart_in_child() -> None:
    """Tell the names again in a forked child."""
    _names.lock = threading.Lock()
    _names.tell_all()


def event_name(event: int) -> str:
    """The name of an event's id.

    >>> event_name(EventID.SIGNAL_GENERATION), event_name(50)
    ('signal_generation', 'event_50')
    """
    return _names.by_id.get(event) or f"event_{int(event)}"
