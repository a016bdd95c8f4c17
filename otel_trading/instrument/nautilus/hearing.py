"""One message bus and what is heard on it."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from nautilus_trader.common.component import TestClock

from otel_trading import forks
from otel_trading.instrument.nautilus.accounts import Accounts
from otel_trading.instrument.nautilus.data import LIVE, Data, kind_of_topic
from otel_trading.instrument.nautilus.instruments import Instruments
from otel_trading.instrument.nautilus.orders import Orders
from otel_trading.instrument.nautilus.positions import Positions
from otel_trading.instrument.nautilus.states import States
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from otel_trading.instrument.reporting import Reporting

_PRIORITY = 5
"""After the portfolio and the risk engine, which have 10, and before strategies, whose answers to an event come with
the event still on its way."""

_complaints = Complaints("the instrumentation of nautilus_trader")


class Hearing:
    """Hears one bus until ``end()``; what goes wrong in here is said once, and costs only telemetry."""

    def __init__(self, bus: Any, cache: Any, clock: Any, said: Reporting) -> None:  # noqa: ANN401 - nautilus_trader's
        self.bus = bus
        live = not isinstance(clock, TestClock)
        self.live = live
        instruments = Instruments(cache)
        self._data = Data(said.trading, instruments, bus, live=live)
        self._states = States(said, clock, live=live)
        orders = Orders(said.trading, cache, instruments, live=live)
        self._handlers: dict[str, Callable[[Any], None]] = {
            "events.position.": Positions(said.trading, instruments, live=live),
            "events.account.": Accounts(said.trading, live=live),
            "events.system.": self._states,
            "events.risk": self._states.risk,
        }
        if said.orders:
            self._handlers["events.order."] = orders
        self._subscribed: dict[str, Callable[[Any], None]] = {}

    def begin(self, data: Iterable[str] | None, ids: Iterable[str]) -> None:
        """Subscribe; ``ids`` are of components that have said something already."""
        for prefix, handler in self._handlers.items():
            once = _Once(self, handler)
            self._subscribe(prefix if prefix == "events.risk" else f"{prefix}*", once)
            for each in ids:
                if prefix != "events.risk":
                    self._subscribe(f"{prefix}{each}", once)
        if data is None:
            data = LIVE if self.live else ()
        for pattern in data:
            self.add(pattern)

    def add(self, pattern: str) -> None:
        """Count the messages of these topics as market data."""
        handler = self._data.handler(kind_of_topic(pattern))
        self._subscribe(pattern, handler)
        prefix = pattern.rstrip("*")
        for topic in self.bus.topics():
            if "*" in pattern and topic.startswith(prefix) and "*" not in topic:
                self._subscribe(topic, handler)

    def end(self) -> None:
        """Hear no more."""
        while self._subscribed:
            topic, handler = self._subscribed.popitem()
            self.bus.unsubscribe(topic, handler)
        self._data.close()
        self._states.close()

    def _subscribe(self, topic: str, handler: Callable[[Any], None]) -> None:
        if topic not in self._subscribed:
            self._subscribed[topic] = handler
            self.bus.subscribe(topic, handler, _PRIORITY)


class _Once:
    """A handler that takes a message once though it comes by two subscriptions, and never raises into the bus."""

    __slots__ = ("_handler", "_last", "_owner")

    def __init__(self, owner: Hearing, handler: Callable[[Any], None]) -> None:
        self._owner = owner  # which lives as long as the bus calls
        self._handler = handler
        self._last: Any = None

    def __call__(self, message: Any) -> None:  # noqa: ANN401 - of any kind
        if message is self._last:
            return
        self._last = message
        try:
            self._handler(message)
        except Exception as error:
            kind = type(message).__name__
            _complaints.say(f"{kind} could not be reported: {type(error).__name__}: {error}")


_lock = forks.lock()
_hearings: weakref.WeakSet[Hearing] = weakref.WeakSet()


def hear(
    bus: Any,  # noqa: ANN401 - nautilus_trader's
    cache: Any,  # noqa: ANN401
    clock: Any,  # noqa: ANN401
    said: Reporting,
    data: Iterable[str] | None = None,
    ids: Iterable[str] = (),
) -> Hearing:
    """Hear a bus; one that is heard already only gets the topics of data that are new."""
    with _lock:
        known = next((each for each in _hearings if each.bus is bus), None)
        if known is None:
            known = Hearing(bus, cache, clock, said)
            _hearings.add(known)
            known.begin(data, tuple(ids))
        else:
            for pattern in data or ():
                known.add(pattern)
        return known


def dismiss(bus: Any = None) -> None:  # noqa: ANN401
    """Hear a bus no more, or none at all."""
    with _lock:
        over = [each for each in _hearings if bus is None or each.bus is bus]
        for each in over:
            _hearings.discard(each)
            each.end()
