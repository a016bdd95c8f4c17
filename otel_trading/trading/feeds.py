"""Feeds of market data: how many frames come, how old the data is, and how long frames take from the venue."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_trading import _native, forks
from otel_trading.runtime.voice import Voice, and_more, logger
from otel_trading.trading.bound import bound
from otel_trading.trading.conventions import create
from otel_trading.trading.conventions.enums import MarketDataType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

    from opentelemetry.metrics import CallbackOptions, Observation

    from otel_trading.metrics.instruments import Meter

WINDOW = 600.0
"""Seconds over which the least latency is known: so long a change of a venue's clock may go unnoticed."""

STALE = 30.0
"""Seconds without a frame after which a subscription is stale."""

_NOBODY = (None,) * 6
_EXCHANGED = 1
"""The place among a feed's handles of what counts all messages of the venue."""


class About(NamedTuple):
    """What a feed is of."""

    venue: str
    subscription: str
    symbol: str | None
    type: str


class Feed(_native.Feed):
    """One subscription; made by ``Feeds.feed``.

    ``message(event_time_ns)`` takes in a frame: it is counted, the data is as old as it from then on, and where the
    frame says when its event was, by the venue's clock in nanoseconds since 1970, its latency is measured.
    ``message()`` is for frames that do not say. A second argument is when the frame was received, by our clock, for a
    frame that has waited since. ``bytes(size)`` counts the bytes received, ``close()`` unsubscribes.

    ``age`` is in seconds, ``messages``, ``negatives`` and ``refused`` are counts.
    """

    __slots__ = ("about", "threshold")

    about: About
    threshold: float

    def __new__(cls, about: About, clock: _native.VenueClock, threshold: float, handles: Iterable[Any]) -> Self:
        """Make a feed that measures with these handles."""
        feed = super().__new__(cls, clock, *handles)
        feed.about = about
        feed.threshold = threshold
        return feed

    def __repr__(self) -> str:
        """What it is of."""
        return f"Feed({self.about.venue}, {self.about.subscription})"

    @property
    def is_stale(self) -> bool:
        """Whether nothing has come for too long."""
        age = self.age
        return age is not None and age > self.threshold

    @property
    def offset(self) -> float:
        """Seconds that are added to receipt less event time: how far the venue's clock is ahead, at least."""
        return self.clock.offset


class _RelayedFeed(Feed):
    """A feed whose instruments are those of an engine without native ones."""

    __slots__ = ("_calls",)

    _calls: tuple[Any, ...]

    def __new__(cls, about: About, clock: _native.VenueClock, threshold: float, handles: Iterable[Any]) -> Self:
        """Make a feed that measures with these calls."""
        feed = super().__new__(cls, about, clock, threshold, _NOBODY)
        feed._calls = tuple(handles)
        return feed

    def message(self, event_time_ns: float | None = 0, received_ns: int = 0, /) -> None:
        found = self.take(event_time_ns, received_ns)
        messages, exchanged, record, negatives, impossible, _ = self._calls
        messages(1)
        if exchanged is not None:
            exchanged(1)
        if found is None:
            return
        if found is False:
            impossible(1)
            return
        latency, negative = found
        record(latency)
        if negative:
            negatives(1)

    def bytes(self, size: int, /) -> None:
        self._calls[-1](size)


class Feeds:
    """All subscriptions to market data.

    >>> from otel_trading.testing import capture
    >>> with capture() as telemetry:
    ...     feeds = Feeds(lambda: telemetry.handle.meter)
    ...     feed = feeds.feed("binance", "btcusdt@trade", symbol="BTC/USDT", type="trade")
    ...     feed.message(1_700_000_000_000_000_000, 1_699_999_998_750_000_000)  # it came 1.25 s before it was sent
    ...     feed.message(1_700_000_000_000_000_000, 1_699_999_998_760_000_000)
    >>> feed.messages, feed.negatives, round(feed.offset, 3)
    (2, 2, 1.25)

    Args:
        meter: the meter in use; asked for each new feed.
        window: seconds that the least latency of a venue is known for.
        base_latency: seconds that the fastest frame is taken to need where a venue's clock is ahead.
        stale: seconds without a frame after which a subscription is stale, unless it has a limit of its own.

    """

    def __init__(
        self,
        meter: Callable[[], Meter],
        *,
        window: float = WINDOW,
        base_latency: float = 0.0,
        stale: float = STALE,
    ) -> None:
        self._meter = meter
        self._window = window
        self._base = base_latency
        self.stale_after = stale
        self._lock = forks.lock()
        self._feeds: dict[tuple[About, type, bool], Feed] = {}
        self._clocks: dict[str, _native.VenueClock] = {}
        self._steps: dict[str, int] = {}
        self._refused: dict[str, int] = {}
        self._instruments: dict[type, _Instruments] = {}
        self._voice = Voice()
        _all.add(self)

    def feed(
        self,
        venue: str,
        subscription: str,
        *,
        symbol: str | None = None,
        type: str = "ticker",  # noqa: A002 - the word for it
        stale: float | None = None,
        exchanged: bool = True,
    ) -> Feed:
        """The feed of a subscription; the same one for the same arguments until it is closed.

        Args:
            venue: the venue, as ccxt calls it.
            subscription: what the venue calls the subscription: ``btcusdt@bookTicker``.
            symbol: the unified symbol, where the subscription is to one instrument.
            type: what its frames tell: ``ticker``, ``trade``, ``book_update``, or a venue's word for these.
            stale: seconds without a frame after which it is stale.
            exchanged: whether its frames count in ``trading.venue.messages``; not where the socket counts them.

        """
        kind = MarketDataType.of(type)
        about = About(f"{venue}", f"{subscription}", symbol and f"{symbol}", f"{type if kind is None else kind}")
        with self._lock:
            meter = self._meter()
            key = (about, meter.__class__, exchanged)
            known = self._feeds.get(key)
            if known is None or known.closed:
                known = self._feeds[key] = self._made(meter, about, exchanged=exchanged)
            if stale is not None:
                known.threshold = stale
            return known

    def clock(self, venue: str) -> _native.VenueClock:
        """What is known of a venue's clock."""
        with self._lock:
            if venue not in self._clocks:
                self._clocks[venue] = _native.venue_clock(self._window, self._base)
            return self._clocks[venue]

    def probe(self, venue: str, sent_ns: int, server_ns: int, received_ns: int) -> bool:
        """A venue told its time: better than what frames tell, so it is preferred; whether it was of use.

        Args:
            venue: the venue.
            sent_ns: when it was asked, by our clock.
            server_ns: its answer, in nanoseconds since 1970.
            received_ns: when the answer came, by our clock.

        """
        try:
            return self.clock(f"{venue}").probe(sent_ns, server_ns, received_ns)
        except (TypeError, OverflowError):
            return False

    def stale(self) -> list[Feed]:
        """The subscriptions that nothing has come from for too long, also those that nothing ever came from."""
        return [feed for feed in self if feed.is_stale]

    def __iter__(self) -> Iterator[Feed]:
        """All subscriptions that are not closed."""
        return (feed for feed in list(self._feeds.values()) if not feed.closed)

    def _made(self, meter: Meter, about: About, *, exchanged: bool) -> Feed:
        instruments = self._instruments.get(meter.__class__)
        if instruments is None:
            instruments = self._instruments[meter.__class__] = _Instruments(meter, self)
        for closed in [key for key, feed in self._feeds.items() if feed.closed]:
            del self._feeds[closed]
        make, handles = instruments.handles(about, exchanged=exchanged)
        return make(about, self.clock(about.venue), self.stale_after, handles)

    def ages(self, _: CallbackOptions) -> Iterable[Observation]:
        """For ``trading.market_data.age``: each subscription's, since subscribing where nothing ever came."""
        from opentelemetry.metrics import Observation

        ages: dict[About, float] = {}
        for feed in self:
            age, about = feed.age, feed.about
            if age is not None:
                ages[about] = min(age, ages.get(about, age))
        for about, age in ages.items():
            yield Observation(age, {**_identity(about), "trading.market_data.subscription": about.subscription})

    def stale_by_venue(self, _: CallbackOptions) -> Iterable[Observation]:
        """For ``trading.market_data.stale.count``."""
        from opentelemetry.metrics import Observation

        counts: dict[str, int] = {}
        for feed in self:
            counts[feed.about.venue] = counts.get(feed.about.venue, 0) + feed.is_stale
        return [Observation(count, {"trading.venue.name": venue}) for venue, count in counts.items()]

    def offsets(self, _: CallbackOptions) -> Iterable[Observation]:
        """For ``trading.clock.offset``; what is wrong with clocks and event times is said here, out of the way."""
        from opentelemetry.metrics import Observation

        self._tell()
        return [Observation(clock.offset, {"trading.venue.name": venue}) for venue, clock in list(self._clocks.items())]

    def steps(self, _: CallbackOptions) -> Iterable[Observation]:
        """For ``trading.clock.steps``."""
        from opentelemetry.metrics import Observation

        return [Observation(clock.steps, {"trading.venue.name": venue}) for venue, clock in list(self._clocks.items())]

    def _tell(self) -> None:
        for venue, clock in list(self._clocks.items()):
            steps, known = clock.steps, self._steps.get(venue, 0)
            self._steps[venue] = steps
            more = self._voice.kept_back(("step", venue)) if steps > known else None
            if more is not None:
                logger.warning(
                    "otel-trading: the clock of %s or our own was set: latencies are measured with an offset of"
                    " %+.3f s now%s",
                    *(venue, clock.offset, and_more(more)),
                )
        refused: dict[str, int] = {}
        for feed in self:
            refused[feed.about.venue] = refused.get(feed.about.venue, 0) + feed.refused
        for venue, count in refused.items():
            known, self._refused[venue] = self._refused.get(venue, 0), count
            more = self._voice.kept_back(("event time", venue)) if count > known else None
            if more is not None:
                logger.warning(
                    "otel-trading: %d event times of %s are not used: they are no nanoseconds since 1970, or more than"
                    " an hour from the clock here%s",
                    *(count - known, venue, and_more(more)),
                )

    def clear(self) -> None:
        """Know of no subscription and no venue's clock, as at the start of a test; those that there are stay silent."""
        with self._lock:
            self._feeds.clear()
            self._clocks.clear()
            self._steps.clear()
            self._refused.clear()

    def restart_in_child(self) -> None:
        """Begin at zero; the parent's subscriptions have no age here before a frame comes."""
        self._voice.restart_in_child()
        self._steps.clear()
        self._refused.clear()
        for feed in self._feeds.values():
            feed.rest()
        for clock in self._clocks.values():
            clock.rest()


class _Instruments:
    """The instruments of one engine."""

    def __init__(self, meter: Meter, feeds: Feeds) -> None:
        self._messages = create(meter, "trading.market_data.messages")
        self._exchanged = create(meter, "trading.venue.messages")
        self._latency = create(meter, "trading.market_data.latency")
        self._negative = create(meter, "trading.market_data.latency.negative")
        self._errors = create(meter, "trading.market_data.errors")
        self._io = create(meter, "trading.venue.io")
        create(meter, "trading.market_data.age", [feeds.ages])
        create(meter, "trading.market_data.stale.count", [feeds.stale_by_venue])
        create(meter, "trading.clock.offset", [feeds.offsets])
        create(meter, "trading.clock.steps", [feeds.steps])

    def handles(self, about: About, *, exchanged: bool) -> tuple[type[Feed], list[Any]]:
        """The kind of feed, and what it measures with."""
        venue = {"trading.venue.name": about.venue}
        timed = {**venue, "trading.market_data.type": about.type}
        received = {**venue, "network.io.direction": "receive"}
        series = [
            (self._messages, "add", _identity(about)),
            (self._exchanged, "add", received),
            (self._latency, "record", timed),
            (self._negative, "add", timed),
            (self._errors, "add", {**venue, "error.type": "event_time"}),
            (self._io, "add", received),
        ]
        native = all(isinstance(instrument, (_native.Counter, _native.Histogram)) for instrument, _, _ in series)
        made: list[Any] = [
            instrument.bind(attributes) if native else bound(instrument, verb, attributes)
            for instrument, verb, attributes in series
        ]
        if not exchanged:
            made[_EXCHANGED] = None
        return (Feed if native else _RelayedFeed), made


def _identity(about: About) -> dict[str, str]:
    named = {"trading.venue.name": about.venue, "trading.market_data.type": about.type}
    return {**named, "trading.instrument.symbol": about.symbol} if about.symbol else named


_all: weakref.WeakSet[Feeds] = weakref.WeakSet()


def _restart_all() -> None:
    for feeds in list(_all):
        feeds.restart_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restart_all)
