"""Noticing that a subscription is silent, and that it is not any more, whatever its connection says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.trading.facade.market import MarketEvents
    from otel_trading.trading.feeds import Feed


class Staleness:
    """Looks at all subscriptions from time to time; says once that one is stale, and once that it is over.

    >>> from otel_trading.testing import capture
    >>> with capture() as telemetry:
    ...     trading = telemetry.trading
    ...     feed = trading.feeds.feed("binance", "btcusdt@trade", symbol="BTC/USDT", type="trade", stale=5)
    ...     feed.message()
    ...     telemetry.advance(6)
    ...     trading.staleness.look()
    ...     feed.message()
    ...     trading.staleness.look()
    ...     telemetry.logs.texts
    ['no market data', 'market data comes again']
    """

    def __init__(self, trading: MarketEvents) -> None:
        self._trading = trading
        self._silent: dict[Feed, int] = {}

    def look(self) -> None:
        """Compare the age of all data with what is too old."""
        trading, now = self._trading, self._trading.clock()
        stale = trading.feeds.stale()
        for feed in stale:
            if feed not in self._silent:
                age = feed.age or 0.0
                self._silent[feed] = now - round(age * 1e9)
                venue, subscription, symbol, kind = feed.about
                trading.feed_stale(venue=venue, subscription=subscription, symbol=symbol, type=kind, seconds=age)
        for feed in [feed for feed in self._silent if feed not in stale]:
            since = self._silent.pop(feed)
            if not feed.closed:
                venue, subscription, symbol, kind = feed.about
                silent = (now - since) / 1e9
                trading.feed_resumed(venue=venue, subscription=subscription, symbol=symbol, type=kind, seconds=silent)

    def clear(self) -> None:
        """Know of no silence, as in a forked child."""
        self._silent.clear()
