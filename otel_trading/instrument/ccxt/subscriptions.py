"""What a ccxt.pro client is subscribed to: each watched market is a feed, whose data has an age."""

from __future__ import annotations

import re
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.trading.facade import Trading
    from otel_trading.trading.feeds import Feed

    Tell = Callable[[Any], None]

_MILLISECOND = 1_000_000
_NOT_DATA = re.compile(r"un_?sub|un_?watch|auth|challenge|fetch|^request|^\d+$", re.IGNORECASE)
_BALANCE = re.compile(r"balance|wallet|myasset", re.IGNORECASE)
_USER = re.compile(
    r"(^|[^a-z])my[A-Z]|order(?!_?book)|positions?|account|user|executions|fills|usertrades|owntrades|settlement",
    re.IGNORECASE,
)
_TYPES = (
    ("ticker", re.compile(r"book_?ticker|bid_?ask|bids_?asks|bbo", re.IGNORECASE)),
    ("funding", re.compile(r"fund|mark_?price", re.IGNORECASE)),
    ("candle", re.compile(r"ohlcv|candle|kline", re.IGNORECASE)),
    ("liquidation", re.compile(r"liquidation|force_?order", re.IGNORECASE)),
    ("book_update", re.compile(r"book|depth|level2|^l2|quotes?_?l2", re.IGNORECASE)),
    ("ticker", re.compile(r"ticker|quote|price|stat(s|istics)", re.IGNORECASE)),
    ("trade", re.compile(r"trade|match|deal", re.IGNORECASE)),
)
_ENDS = re.compile(r"[:@|.,_]+")
_MOST = 10_000
"""Names that one client remembers; those beyond are not told apart any more."""


def type_of(name: str) -> str | None:
    """What the data of a subscription is, by the name ccxt gives it.

    A type of market data, ``balance``, ``user`` for the bot's own orders and the like, ``""`` for what is neither, and
    ``None`` where the name does not tell.

    >>> type_of("orderbook::BTC/USDT"), type_of("bidask:bookTicker@BTC/USDT"), type_of("trade:BTC/USD")
    ('book_update', 'ticker', 'trade')
    >>> type_of("orders:BTC/USDT"), type_of("spot:balance"), type_of("unsubscribe:trade:BTC/USDT"), type_of("17")
    ('user', 'balance', '', '')
    """
    words = re.sub(r"[^:@|.\s]*/[^@|.\s]*", "", name)
    if _NOT_DATA.search(words) or not words:
        return "" if words else None
    if _BALANCE.search(words):
        return "balance"
    for type_, pattern in _TYPES[:4]:
        if pattern.search(words) and not words.startswith("my"):
            return type_
    if _USER.search(words):
        return "user"
    return next((type_ for type_, pattern in _TYPES[4:] if pattern.search(words)), None)


def symbol_of(name: str, exchange: Any) -> str | None:  # noqa: ANN401 - ccxt carries no types
    """The unified symbol that a subscription's name has in it, or the venue's own name of; ``None`` if there is none.

    >>> class Exchange:
    ...     markets = {"BTC/USDT:USDT": {}, "BTC/USDT": {}}
    ...     markets_by_id = {"btcusd": [{"symbol": "BTC/USD"}]}
    >>> symbol_of("ohlcv::BTC/USDT:USDT::1m", Exchange), symbol_of("depth_btcusd", Exchange)
    ('BTC/USDT:USDT', 'BTC/USD')
    """
    markets = getattr(exchange, "markets", None) or {}
    outcomes = getattr(exchange, "outcomes", None) or {}
    by_id = getattr(exchange, "markets_by_id", None) or {}
    cuts = [(0, 0), *(match.span() for match in _ENDS.finditer(name)), (len(name), len(name))]
    pieces = sorted(
        (name[cuts[first][1] : cuts[last][0]] for first in range(len(cuts)) for last in range(first + 1, len(cuts))),
        key=len,
        reverse=True,
    )
    for piece in pieces:
        if piece in markets or piece in outcomes:
            return piece
    for piece in pieces:
        found = by_id.get(piece)
        market = found[0] if isinstance(found, list) and found else found
        if isinstance(market, dict) and isinstance(market.get("symbol"), str):
            symbol: str = market["symbol"]
            return symbol
    return None


def type_of_content(content: Any) -> str | None:  # noqa: ANN401 - what ccxt hands to the bot
    """What data is by its looks, where its name does not tell."""
    if isinstance(content, dict):
        if "bids" in content and "asks" in content:
            return "book_update"
        return "ticker" if "last" in content and "bid" in content else None
    row = _last(content)
    if isinstance(row, dict) and row.get("price") is not None and row.get("order") is None and "filled" not in row:
        return "trade"
    return None


def event_time(content: Any) -> float:  # noqa: ANN401
    """When the event was by the venue's clock, in nanoseconds since 1970; 0 where the content does not say.

    >>> event_time({"timestamp": 1700000000001, "last": 5}), event_time([{"timestamp": 1700000000002}])
    (1700000000001000000, 1700000000002000000)
    """
    said = content
    if not isinstance(said, dict):
        said = _last(said)
    elif "timestamp" not in said and said:
        said = next(iter(said.values()))
    at = said.get("timestamp") if isinstance(said, dict) else None
    return at * _MILLISECOND if isinstance(at, (int, float)) else 0


class Subscriptions:
    """The feeds of all exchanges, by exchange and name.

    A feed is opened when the bot subscribes and closed when it unsubscribes, closes the exchange or drops it. One
    whose connection is lost stays, and its data gets old until there is another connection.
    """

    def __init__(self, trading: Trading) -> None:
        self._trading = trading
        self._held: weakref.WeakKeyDictionary[Any, dict[str, Feed]] = weakref.WeakKeyDictionary()
        self._holders: dict[Feed, int] = {}

    def opened(self, exchange: Any, venue: str, name: str, type_: str) -> Feed:  # noqa: ANN401
        """The feed of a subscription."""
        held = self._held.get(exchange)
        if held is None:
            held = self._held[exchange] = {}
            weakref.finalize(exchange, self._drop, held).atexit = False
        feed = held.get(name)
        if feed is None or feed.closed:
            symbol = symbol_of(name, exchange)
            feed = held[name] = self._trading.feeds.feed(venue, name, symbol=symbol, type=type_, exchanged=False)
            self._holders[feed] = self._holders.get(feed, 0) + 1
        return feed

    def closed(self, exchange: Any, name: str | None = None, *, prefix: bool = False) -> None:  # noqa: ANN401
        """The bot unsubscribed from this, from all whose names begin so, or from everything."""
        held = self._held.get(exchange)
        if not held:
            return
        for each in [name] if name is not None and not prefix else [*held]:
            if each in held and (name is None or each.startswith(name)):
                self._release(held.pop(each))

    def close(self) -> None:
        """Close all that are open."""
        for held in list(self._held.values()):
            self._drop(held)

    def _drop(self, held: dict[str, Feed]) -> None:
        while held:
            self._release(held.popitem()[1])

    def _release(self, feed: Feed) -> None:
        left = self._holders.pop(feed, 1) - 1
        if left > 0:
            self._holders[feed] = left
        else:
            feed.close()


class Names:
    """What one client's subscriptions are for, by the names ccxt has for them.

    ``messages`` has what takes a frame of a feed in, by its event's time, and ``others`` what takes content in; names
    that need neither are known to ``others`` as ``None``.
    """

    __slots__ = ("_exchange", "_feeds", "_on_balance", "_subscriptions", "_venue", "messages", "others")

    def __init__(self, subscriptions: Subscriptions, exchange: Any, venue: str, on_balance: Tell | None) -> None:  # noqa: ANN401
        self._subscriptions = subscriptions
        self._exchange = weakref.ref(exchange)
        self._venue = venue
        self._on_balance = on_balance
        self._feeds: dict[str, Feed] = {}
        self.messages: dict[str, Callable[[float], None]] = {}
        self.others: dict[str, Tell | None] = {}

    def add(self, name: Any) -> None:  # noqa: ANN401 - ccxt's
        """The bot waits for data of this name."""
        if name in self.messages or name in self.others or not isinstance(name, str):
            return
        if len(self.messages) + len(self.others) >= _MOST:
            return
        type_ = type_of(name)
        if type_ is None:
            self.others[name] = self._by_content(name)
        elif type_ == "balance":
            self.others[name] = self._on_balance
        elif type_ == "user":
            self.others[name] = None
        elif type_:
            self._feed(name, type_)

    def remove(self, name: str | None, *, prefix: bool) -> None:
        """The bot unsubscribed."""
        exchange = self._exchange()
        if name is None or exchange is None:
            return
        for kept in (self._feeds, self.messages, self.others):
            for each in [each for each in kept if each == name or (prefix and each.startswith(name))]:
                del kept[each]
        self._subscriptions.closed(exchange, name, prefix=prefix)

    def feed(self, name: str | None) -> Feed | None:
        """The feed of that name, if it is one."""
        return self._feeds.get(name) if name is not None else None

    def _feed(self, name: str, type_: str) -> Feed | None:
        exchange = self._exchange()
        if exchange is None:
            return None
        feed = self._feeds[name] = self._subscriptions.opened(exchange, self._venue, name, type_)
        if type_ == "candle":  # its time is when it began
            self.others[name] = lambda _: feed.message()
        else:
            self.messages[name] = feed.message
        return feed

    def _by_content(self, name: str) -> Tell:
        def tell(content: Any) -> None:  # noqa: ANN401
            type_ = type_of_content(content)
            self.others[name] = None
            feed = self._feed(name, type_) if type_ else None
            if feed is not None:
                del self.others[name]
                feed.message(safe_event_time(content))

        return tell


def safe_event_time(content: Any) -> float:  # noqa: ANN401
    """See ``event_time``; 0 too where a venue's handler made something else of it."""
    try:
        return event_time(content)
    except Exception:
        return 0


def _last(rows: Any) -> Any:  # noqa: ANN401
    try:
        return rows[-1]
    except (TypeError, LookupError):
        return None
