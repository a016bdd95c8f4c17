"""What the bus brings of market data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.nautilus.instruments import Instruments
    from otel_trading.trading.facade import Trading
    from otel_trading.trading.feeds import Feed

LIVE = ("data.quotes.*", "data.trades.*", "data.book.deltas.*", "data.book.depth.*", "data.bars.*")
"""Topics that are counted in live trading when nothing else is asked for."""

_KINDS = {
    "quotes": "ticker",
    "trades": "trade",
    "book.deltas": "book_update",
    "book.depth": "book_snapshot",
    "book.snapshots": "book_snapshot",
    "bars": "candle",
    "mark_prices": "funding",
    "funding_rates": "funding",
}
_SWEEP = 5_000_000_000
"""Every so many nanoseconds it is looked which subscriptions the bot has given up."""
_NOBODY = object()

_complaints = Complaints("the instrumentation of nautilus_trader")


def kind_of_topic(topic: str) -> str:
    """What the messages of a topic are called by nautilus_trader.

    >>> kind_of_topic("data.book.deltas.BINANCE.BTCUSDT"), kind_of_topic("data.quotes.*"), kind_of_topic("data.Signal*")
    ('book.deltas', 'quotes', 'Signal')
    """
    name = topic.removeprefix("data.")
    known = next((kind for kind in _KINDS if name == kind or name.startswith(f"{kind}.")), None)
    return known or name.partition(".")[0].rstrip("*")


class Data:
    """Counts what comes; in live trading, how long it took, from ``ts_event`` to ``ts_init``."""

    def __init__(self, trading: Trading, instruments: Instruments, bus: Any, *, live: bool) -> None:  # noqa: ANN401
        self._trading = trading
        self._instruments = instruments
        self._bus = bus
        self._live = live
        self._feeds: dict[tuple[str, Any], tuple[Feed, str]] = {}
        self._swept = 0

    def handler(self, kind: str) -> Callable[[Any], None]:
        """What takes in the messages of one kind of topic."""
        feeds: dict[Any, Feed | None] = {}
        live = self._live

        last: Any = None

        def take(message: Any) -> None:  # noqa: ANN401 - nautilus_trader's data
            nonlocal last
            if message is last:  # by a pattern, and by its topic
                return
            last = message
            try:
                of_what = message.bar_type if kind == "bars" else message.instrument_id
                feed: Any = feeds.get(of_what, _NOBODY)
                if feed is _NOBODY or (feed is not None and feed.closed):
                    feed = feeds[of_what] = self._feed(kind, of_what)
                if feed is None:
                    return
                if not live:
                    feed.message()
                    return
                now = message.ts_init
                feed.message(message.ts_event, now)
                if now - self._swept > _SWEEP:
                    self._sweep(now)
            except Exception as error:
                _complaints.say(f"{type(message).__name__} could not be counted: {type(error).__name__}: {error}")

        return take

    def close(self) -> None:
        """The bot is subscribed to nothing any more."""
        while self._feeds:
            self._feeds.popitem()[1][0].close()

    def _feed(self, kind: str, of_what: Any) -> Feed | None:  # noqa: ANN401 - an InstrumentId or a BarType
        """The feed; bars that nautilus_trader makes itself come from no venue."""
        if kind == "bars":
            if of_what.is_internally_aggregated():
                return None
            instrument_id, name = of_what.instrument_id, f"{of_what}"
            topic = f"data.bars.{of_what}"
        else:
            instrument_id, name = of_what, f"{kind}.{of_what.symbol}"
            topic = f"data.{kind}.{of_what.venue}.{of_what.symbol}"
        named = self._instruments[instrument_id]
        feed = self._trading.feeds.feed(named.venue, name, symbol=named.symbol, type=_KINDS.get(kind, kind))
        self._feeds[kind, of_what] = feed, topic
        return feed

    def _sweep(self, now: int) -> None:
        """Close what nobody but us is subscribed to any more: that it gets no older is no news."""
        self._swept = now
        wanted = set(self._bus.topics())
        for key, (feed, topic) in list(self._feeds.items()):
            if topic not in wanted:
                del self._feeds[key]
                feed.close()
