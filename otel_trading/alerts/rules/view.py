"""What rules see: the state of the bot at one moment, copied from what its events said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_trading.health.model import HealthReport

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from otel_trading.trading.events import Event


class Happened:
    """An event that happened since the last look; its values by their keys.

    >>> from otel_trading.trading.events import EVENTS
    >>> Happened(EVENTS["trading.cache.lookup"], ("books", True), 0)["hit"]
    True
    """

    __slots__ = ("event", "time_ns", "values")

    def __init__(self, event: Event, values: Sequence[Any], time_ns: int) -> None:
        self.event = event
        self.values = values
        self.time_ns = time_ns

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - whatever the event has
        """A value; ``None`` where it is not known."""
        event = self.event
        names = event.fields if key in event.fields else (*event.fields, *event.amounts)
        return self.values[names.index(key)]

    def some(self, *keys: str) -> dict[str, Any]:
        """Values that are known, by their keys."""
        return {key: value for key in keys if (value := self[key]) is not None}


class Connection(NamedTuple):
    """A connection to a venue, and for how many seconds it has been so."""

    state: str
    seconds: float
    reason: str | None = None


class Position(NamedTuple):
    """What is held: its size in the base currency, and its worth."""

    quantity: float | None
    notional: float | None
    currency: str | None


class Limit(NamedTuple):
    """A limit when it was checked last, so many seconds ago."""

    name: str
    scope: str
    strategy: str | None
    venue: str | None
    symbol: str | None
    result: str
    used: float | None
    limit: float | None
    utilization: float | None
    seconds: float


class Breaker(NamedTuple):
    """A circuit breaker."""

    state: str
    reason: str | None


class Halt(NamedTuple):
    """Why the bot does not trade."""

    trigger: str | None
    reason: str | None


class Silent(NamedTuple):
    """A subscription, and how old its data is."""

    venue: str
    subscription: str
    symbol: str | None
    type: str
    seconds: float
    threshold: float


class Fills(NamedTuple):
    """Orders of a venue in the last hour."""

    submitted: int
    filled: int


class Disk(NamedTuple):
    """A file system that the bot writes to, in bytes."""

    path: str
    free: int
    total: int


@dataclass(frozen=True, slots=True)
class View:
    """The bot at one moment.

    Args:
        now_ns: when, in nanoseconds since 1970.
        health: how it is, by its own checks.
        subscriptions: how old the data of each is.
        latency: how long market data takes by venue: the 95th percentile of the last minute, in seconds.
        connections: by venue and name.
        positions: by venue, symbol and strategy.
        limits: as they were checked last.
        breakers: by name.
        halt: why it does not trade, where it does not.
        session_pnl: profit since the session began, by strategy and currency.
        fills: orders of the last hour, by venue.
        errors: errors a second in the last minute, by venue.
        disks: the file systems it writes to.
        events: what happened since the last look, the oldest first.
        firing: the keys of the alerts that fire now.

    """

    now_ns: int = 0
    health: HealthReport = field(default_factory=lambda: HealthReport("healthy", ready=True))
    subscriptions: tuple[Silent, ...] = ()
    latency: Mapping[str, float] = field(default_factory=dict)
    connections: Mapping[tuple[str, str], Connection] = field(default_factory=dict)
    positions: Mapping[tuple[str, str, str | None], Position] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    breakers: Mapping[str, Breaker] = field(default_factory=dict)
    halt: Halt | None = None
    session_pnl: Mapping[tuple[str | None, str], float] = field(default_factory=dict)
    fills: Mapping[str, Fills] = field(default_factory=dict)
    errors: Mapping[str, float] = field(default_factory=dict)
    disks: tuple[Disk, ...] = ()
    events: tuple[Happened, ...] = ()
    firing: frozenset[str] = frozenset()

    def happened(self, *names: str) -> Iterator[Happened]:
        """The events of these names since the last look, such as ``trading.order.filled``."""
        return (each for each in self.events if each.event.name in names)

    def fires(self, rule: str, subject: str = "") -> bool:
        """Whether an alert of a rule fires now."""
        return (f"{rule}/{subject}" if subject else rule) in self.firing
