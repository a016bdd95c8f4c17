"""Thresholds of resources: one warning when a value exceeds its limit, one line when it has recovered."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from opentelemetry.metrics import Observation

from otel_trading.runtime.options import MEGABYTE
from otel_trading.runtime.voice import Voice, and_more, logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Meter

    from otel_trading.runtime.troubles import Troubles

    Subscriber = Callable[["Crossing"], None]

RECOVERED_AT = 0.9
"""Share of the limit that a value has to fall to before it counts as recovered, so that it does not flutter."""


class Direction(Enum):
    """Which way a value crossed its threshold."""

    EXCEEDED = "exceeded"
    RECOVERED = "recovered"


@dataclass(frozen=True, slots=True)
class Crossing:
    """A resource that crossed its threshold; ``subject`` says which one where there are several, as a mount point."""

    resource: str
    subject: str
    direction: Direction
    value: float
    limit: float


class Thresholds:
    """Compares values with limits that can be changed at any time.

    >>> from opentelemetry.metrics import NoOpMeter
    >>> from otel_trading.runtime.troubles import Troubles
    >>> meter = NoOpMeter("bot")
    >>> thresholds = Thresholds(meter, Troubles(meter))
    >>> thresholds.set("queue", 100)
    >>> _ = thresholds.subscribe(lambda crossing: print(crossing.resource, crossing.direction.value, crossing.value))
    >>> for depth in (99, 101, 95, 89):
    ...     thresholds.check("queue", depth)
    queue exceeded 101
    queue recovered 89
    """

    def __init__(self, meter: Meter, troubles: Troubles, clock: Callable[[], float] = time.monotonic) -> None:
        self._crossings = meter.create_counter(
            "trading.runtime.threshold.crossings", "{crossing}", "Thresholds exceeded and recovered from, by resource."
        )
        meter.create_observable_gauge(
            "trading.runtime.threshold.exceeded",
            [self._observe],
            "{resource}",
            "1 where a resource is above its threshold.",
        )
        self._troubles = troubles
        self._voice = Voice(clock=clock)
        self._lock = threading.RLock()
        self._limits: dict[str, tuple[float, float]] = {}
        self._exceeded: dict[tuple[str, str], bool] = {}
        self._warned: set[tuple[str, str]] = set()
        self._subscribers: list[Subscriber] = []

    def set(self, resource: str, limit: float | None, *, recovered: float | None = None) -> None:
        """Give a resource another limit, and the value it has recovered at (90 % of the limit); ``None`` is off."""
        with self._lock:
            if limit is not None:
                self._limits[resource] = (limit, limit * RECOVERED_AT if recovered is None else recovered)
                return
            self._limits.pop(resource, None)
            for key in [key for key in self._exceeded if key[0] == resource]:
                del self._exceeded[key]
                self._warned.discard(key)

    def limit(self, resource: str) -> float | None:
        """The limit of a resource, if it has one."""
        pair = self._limits.get(resource)
        return pair[0] if pair else None

    def exceeded(self) -> tuple[tuple[str, str], ...]:
        """Resource and subject of what is above its threshold now."""
        return tuple(key for key, over in list(self._exceeded.items()) if over)

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Call this at each crossing, in the thread that found it; the result ends it."""
        self._subscribers.append(subscriber)

        def unsubscribe() -> None:
            if subscriber in self._subscribers:
                self._subscribers.remove(subscriber)

        return unsubscribe

    def check(self, resource: str, value: float, subject: str = "") -> None:
        """Compare a value with its limit, and tell of a crossing."""
        key = (resource, subject)
        with self._lock:
            pair = self._limits.get(resource)
            if pair is None:
                return
            limit, recovered = pair
            before = self._exceeded.get(key, False)
            over = value > (recovered if before else limit)
            self._exceeded[key] = over
        if over != before:
            self._tell(Crossing(resource, subject, Direction.EXCEEDED if over else Direction.RECOVERED, value, limit))

    def restart_in_child(self) -> None:
        """Begin anew in a forked child, with the limits of its parent."""
        self._lock = threading.RLock()
        self._voice.restart_in_child()
        self._exceeded.clear()
        self._warned.clear()

    def _tell(self, crossing: Crossing) -> None:
        attributes = _attributes(crossing.resource, crossing.subject)
        self._crossings.add(1, {**attributes, "trading.runtime.threshold.direction": crossing.direction.value})
        self._log(crossing)
        for subscriber in list(self._subscribers):
            try:
                subscriber(crossing)
            except Exception as error:
                self._troubles.note("threshold subscriber", error)

    def _log(self, crossing: Crossing) -> None:
        key = (crossing.resource, crossing.subject)
        what = " ".join(part for part in key if part)
        value, limit = in_words(crossing.resource, crossing.value), in_words(crossing.resource, crossing.limit)
        if crossing.direction is Direction.EXCEEDED:
            more = self._voice.kept_back(key)
            if more is not None:
                self._warned.add(key)
                logger.warning(
                    "otel-trading: %s is at %s, above its threshold of %s%s", what, value, limit, and_more(more)
                )
        elif key in self._warned:  # who was not warned is not relieved either
            self._warned.discard(key)
            logger.info("otel-trading: %s is at %s again, its threshold is %s", what, value, limit)

    def _observe(self, _: CallbackOptions) -> Iterable[Observation]:
        for (resource, subject), over in list(self._exceeded.items()):
            yield Observation(int(over), _attributes(resource, subject))


def in_words(resource: str, value: float) -> str:
    """A value in the unit that people use for this resource.

    >>> in_words("process.memory", 1_610_612_736), in_words("disk", 0.914), in_words("process.file_descriptors", 512)
    ('1,536 MB', '91.4 %', '512')
    """
    if resource == "process.memory":
        return f"{value / MEGABYTE:,.0f} MB"
    if resource in {"disk", "container.memory", "process.cpu"}:
        return f"{value * 100:.1f} %"
    return f"{value:,.10g}"


def _attributes(resource: str, subject: str) -> dict[str, str]:
    named = {"trading.runtime.resource": resource}
    return {**named, "trading.runtime.subject": subject} if subject else named
