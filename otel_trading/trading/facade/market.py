"""What the bot says of market data and of venues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.trading.conventions import create
from otel_trading.trading.conventions.enums import ConnectionState, SessionStatus
from otel_trading.trading.events.model import Level
from otel_trading.trading.facade.base import Reporter, Words, kind_of
from otel_trading.trading.facade.states import States
from otel_trading.trading.feeds import Feeds
from otel_trading.trading.staleness import Staleness

if TYPE_CHECKING:
    from otel_trading.metrics.instruments import Meter
    from otel_trading.trading.feeds import Feed

_BASIS_POINTS = 10_000
_INFINITE = float("inf")
_DROP = {"disconnected": Level.WARNING}


class MarketEvents(Reporter):
    """Books, feeds, connections and requests."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base takes them
        self._connections = States("trading.venue.connection.state", "trading.connection.state")
        self._connection_state = Words(ConnectionState)
        self._left: dict[tuple[str, str | None], bool] = {}
        self._session_status = Words(SessionStatus)
        self.feeds = Feeds(lambda: self._meter)
        """The subscriptions to market data; each counts its frames, and knows how old its data is."""
        self.staleness = Staleness(self)
        """Says which of them are silent."""
        super().__init__(*args, **kwargs)

    def connect(self, meter: Meter, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base's
        """See ``Reporter``."""
        super().connect(meter, *args, **kwargs)
        self._connections.connect(meter)
        self._known_feeds: dict[tuple[str, str, str | None, str], Feed] = {}
        self._reconnects: Any = create(meter, "trading.venue.reconnects")

    def feed_message(
        self,
        venue: str,
        subscription: str,
        event_time_ns: float | None = 0,
        *,
        symbol: str | None = None,
        type: str = "ticker",  # noqa: A002 - as in the conventions
    ) -> None:
        """A frame of market data came in.

        Whoever has the subscription at hand keeps its ``feeds.feed(...)`` and calls ``message()`` on it, which costs a
        fifth of this.

        Args:
            venue: as ccxt calls it.
            subscription: what the venue calls the subscription: ``btcusdt@bookTicker``.
            event_time_ns: when the event was by the venue's clock, in nanoseconds since 1970; 0 where it does not say.
            symbol: the unified symbol.
            type: what the frame tells: ``ticker``, ``trade``, ``book_update``.

        """
        try:
            key = venue, subscription, symbol, type
            feed = self._known_feeds.get(key)
            if feed is None or feed.closed:
                feed = self._known_feeds[key] = self.feeds.feed(venue, subscription, symbol=symbol, type=type)
            feed.message(event_time_ns)
        except Exception as error:
            self._failed("feed_message", error)

    def book_updated(
        self,
        venue: str,
        symbol: str,
        *,
        bid: object = None,
        ask: object = None,
        bid_quantity: object = None,
        ask_quantity: object = None,
        levels: int | None = None,
        market_id: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A book has new best prices; the spread follows, and is 0 where the book is crossed."""
        try:
            best: Any = bid
            other: Any = ask
            if best.__class__ is not float:
                best = self._amount("book_updated", "bid", best)
            if other.__class__ is not float:
                other = self._amount("book_updated", "ask", other)
            spread = None
            if best is not None and other is not None:
                low, high = float(best), float(other)
                middle = low + high
                if 0 < middle < _INFINITE:
                    spread = max(0.0, (high - low) * 2 * _BASIS_POINTS / middle)
            values = (venue, symbol, market_id, best, other, bid_quantity, ask_quantity, levels, spread)
            self._on_book_updated(values, time_ns or 0)
        except Exception as error:
            self._failed("book_updated", error)

    def book_normalized(
        self,
        *,
        venue: str,
        symbol: str | None = None,
        market_id: str | None = None,
        outcome: str | None = None,
        levels: int | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A book was brought into the bot's own form."""
        try:
            self._say("book_normalized", (venue, symbol, market_id, outcome, levels), time_ns)
        except Exception as error:
            self._failed("book_normalized", error)

    def feed_gap(
        self,
        *,
        venue: str,
        symbol: str | None = None,
        type: str | None = None,  # noqa: A002 - as in the conventions
        subscription: str | None = None,
        expected_sequence: int | None = None,
        sequence: int | None = None,
        missing: int | None = None,
        time_ns: int | None = None,
    ) -> None:
        """Frames are missing: the sequence number is not the one that was expected."""
        try:
            if missing is None and sequence is not None and expected_sequence is not None:
                missing = sequence - expected_sequence
            values = (venue, symbol, type, subscription, expected_sequence, sequence, missing)
            self._say("feed_gap", values, time_ns)
        except Exception as error:
            self._failed("feed_gap", error)

    def feed_stale(
        self,
        *,
        venue: str,
        seconds: float,
        symbol: str | None = None,
        type: str | None = None,  # noqa: A002
        subscription: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """Nothing has come for too long, whatever the connection says."""
        try:
            self._say("feed_stale", (venue, symbol, type, subscription, seconds), time_ns)
        except Exception as error:
            self._failed("feed_stale", error)

    def feed_resumed(
        self,
        *,
        venue: str,
        seconds: float,
        symbol: str | None = None,
        type: str | None = None,  # noqa: A002
        subscription: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """Market data comes again after so many seconds without."""
        try:
            self._say("feed_resumed", (venue, symbol, type, subscription, seconds), time_ns)
        except Exception as error:
            self._failed("feed_resumed", error)

    def latency_updated(self, *, venue: str, p50_ms: float, p95_ms: float, time_ns: int | None = None) -> None:
        """How long market data takes on its way, in milliseconds."""
        try:
            self._say("latency_updated", (venue, p50_ms, p95_ms), time_ns)
        except Exception as error:
            self._failed("latency_updated", error)

    def market_data_error(
        self,
        *,
        venue: str,
        error: BaseException | str,
        symbol: str | None = None,
        subscription: str | None = None,
        text: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A frame cannot be used: ``schema_validation``, ``spec_validation_changed``, ``checksum`` or an exception."""
        try:
            said = text if text is not None else None if isinstance(error, str) else str(error)
            self._say("market_data_error", (venue, symbol, subscription, kind_of(error), said), time_ns)
        except Exception as fault:
            self._failed("market_data_error", fault)

    def connection_changed(
        self,
        venue: str,
        state: object,
        *,
        connection: str | None = None,
        reason: str | None = None,
        error: BaseException | str | None = None,
        attempt: int | None = None,
        duration: float | None = None,
        wanted: bool = False,
        time_ns: int | None = None,
    ) -> None:
        """A connection is ``connecting``, ``connected`` or ``disconnected`` from now on.

        ``connection`` tells several of one venue apart: ``market_data``, ``user_data``. ``duration`` is how many
        seconds connecting took. A state that it had already is not told again. One that was ``wanted``, as the bot
        itself disconnected, is no loss; nor is one that was never there.
        """
        try:
            word = self._connection_state(state) or ""
            of_what = {"trading.venue.name": venue}
            if connection is not None:
                of_what["trading.connection.name"] = connection
            before = self._connections.change(of_what, word)
            if wanted and word == "disconnected":
                self._left[venue, connection] = True
            else:
                self._left.pop((venue, connection), None)
            if before == word:
                return
            kind = kind_of(error)
            if word == "disconnected" and before != "connecting" and not wanted:
                lost = {"trading.venue.name": venue}
                self._reconnects.add(1, {**lost, "error.type": kind} if kind else lost)
            said = reason if reason is not None or error is None else str(error)
            values = (venue, connection, word, said, kind, attempt, duration, wanted)
            self._say("connection_changed", values, time_ns, 0 if wanted else _DROP.get(word, 0))
        except Exception as fault:
            self._failed("connection_changed", fault)

    def connections(self) -> list[tuple[str, str | None, str]]:
        """Venue, name and state of each connection, without those that the bot itself closed."""
        found: list[tuple[str, str | None, str]] = []
        for of_what, state in self._connections.now():
            venue, connection = of_what["trading.venue.name"], of_what.get("trading.connection.name")
            if (venue, connection) not in self._left:
                found.append((venue, connection, state))
        return found

    def request_completed(
        self,
        venue: str,
        operation: str,
        seconds: float,
        *,
        error: BaseException | str | None = None,
        weight: float | None = None,
        text: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A venue answered a request, or did not: ccxt's method or the endpoint's template, and how long it took."""
        try:
            said = text if text is not None or error is None or isinstance(error, str) else str(error)
            values = (venue, operation, seconds, kind_of(error), weight, said)
            self._say("request_completed", values, time_ns, 0 if error is None else Level.WARNING)
        except Exception as fault:
            self._failed("request_completed", fault)

    def rate_limited(
        self,
        *,
        venue: str,
        operation: str | None = None,
        limit: str | None = None,
        used: float | None = None,
        allowed: float | None = None,
        wait_seconds: float | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A venue's rate limit refused a request, or made it wait."""
        try:
            self._say("rate_limited", (venue, operation, limit, used, allowed, wait_seconds), time_ns)
        except Exception as error:
            self._failed("rate_limited", error)

    def session_changed(
        self,
        *,
        venue: str,
        status: object,
        symbol: str | None = None,
        reason: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A venue opened, closed or halted an instrument, or all; ``status`` is FIX TradSesStatus (340)."""
        try:
            self._say("session_changed", (venue, symbol, self._session_status(status), reason), time_ns)
        except Exception as error:
            self._failed("session_changed", error)

    def cache_lookup(self, cache: str, *, hit: bool) -> None:
        """Something was looked up in a cache of the bot's."""
        try:
            self._on_cache_lookup((cache, hit), 0)
        except Exception as error:
            self._failed("cache_lookup", error)
