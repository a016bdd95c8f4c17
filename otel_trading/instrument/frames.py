"""What the frames of a connection are of: which subscription, which instrument, and when by the venue's clock."""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from otel_trading import forks
from otel_trading._native import scan_frame
from otel_trading.settings.complaints import Complaints
from otel_trading.trading.bound import bound
from otel_trading.trading.conventions import create
from otel_trading.trading.conventions.enums import MarketDataType

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.reporting import Reporting
    from otel_trading.trading.feeds import Feed

    FrameHook = Callable[[Any], tuple[str, str | None, str, int] | None]

SUBSCRIPTIONS = 1_000
"""So many subscriptions of a connection are told apart; the rest are ``other``."""

_PARTS = re.compile(r"[@.:/|~\s]+")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[a-z]?\d+[a-z]*", re.ASCII)
_complaints = Complaints("frames of connections")


@lru_cache(maxsize=4_096)
def type_of(kind: str) -> str | None:
    """What a venue's word for a stream, a topic, a channel or an event stands for; ``None`` where it is no data.

    >>> [type_of(kind) for kind in ("btcusdt@depth20@100ms", "orderbook.50.BTCUSDT", "ORDER_TRADE_UPDATE", "welcome")]
    ['book_update', 'book_snapshot', 'user', None]
    """
    found = MarketDataType.of(kind)
    if found is None:
        found = next((known for part in _PARTS.split(kind) if (known := _meant(part))), None)
    return None if found is None else found.value


def _meant(part: str) -> MarketDataType | None:
    """The longest run of words in it that means something."""
    found = MarketDataType.of(part)
    words = [word.lower() for word in _WORDS.findall(part)][:8]
    for length in range(len(words), 0, -1):
        for first in range(len(words) - length + 1):
            if found is not None:
                return found
            found = MarketDataType.of("_".join(words[first : first + length]))
    return found


class Subscriptions:
    """The subscriptions of all connections of one instrumentation."""

    def __init__(self, said: Reporting, hook: FrameHook | None = None) -> None:
        self.feeds = said.trading.feeds
        self.hook = hook
        self._errors = create(said.meter, "trading.market_data.errors")
        self._holders: dict[Feed, int] = {}
        self._lost: dict[str, dict[Feed, None]] = {}
        self._lock = forks.lock()

    def frames(self, venue: str, path: str) -> Frames:
        """Those of a connection that was opened; it has to do with what the last one there has lost."""
        with self._lock:
            return Frames(self, venue, path, self._lost.pop(path, {}))

    def malformed(self, venue: str) -> Callable[[float], None]:
        """What counts the frames of a venue that cannot be read."""
        return bound(self._errors, "add", {"trading.venue.name": venue, "error.type": "malformed"})

    def hold(self, feed: Feed) -> None:
        """One more connection has it."""
        with self._lock:
            self._holders[feed] = self._holders.get(feed, 0) + 1

    def drop(self, feeds: dict[Feed, None]) -> None:
        """A connection does not want these any more; what no other has is closed."""
        with self._lock:
            for feed in feeds:
                left = self._holders.pop(feed, 1) - 1
                if left > 0:
                    self._holders[feed] = left
                else:
                    feed.close()

    def lose(self, path: str, feeds: dict[Feed, None]) -> None:
        """A connection was lost with these: they get older, until the next one has them."""
        with self._lock:
            lost = self._lost.setdefault(path, {})
            twice = {feed: None for feed in feeds if feed in lost}
            lost.update(feeds)
            old = dict.fromkeys(list(lost)[: max(0, len(lost) - SUBSCRIPTIONS)])
            for feed in old:
                del lost[feed]
        self.drop(twice)
        self.drop(old)

    def close(self) -> None:
        """Nothing is watched any more."""
        with self._lock:
            for feed in list(self._holders):
                feed.close()
            self._holders.clear()
            self._lost.clear()


class Frames:
    """The frames of one connection."""

    __slots__ = ("_default", "_feeds", "_held", "_hook", "_malformed", "_path", "_subscriptions", "_user", "_venue")

    def __init__(self, subscriptions: Subscriptions, venue: str, path: str, held: dict[Feed, None]) -> None:
        self._subscriptions = subscriptions
        self._hook = subscriptions.hook
        self._venue = venue
        self._path = path
        self._held = held
        self._feeds: dict[Any, Feed | None] = {}
        self._malformed = subscriptions.malformed(venue)
        places = [place for place in path.split("/")[1:] if place]
        self._user = any(type_of(place) == "user" for place in places)
        self._default = places[-1] if places and type_of(places[-1]) else None

    def take(self, message: Any, *, whole: bool = True) -> None:  # noqa: ANN401 - text or bytes
        """A frame was received; ``whole`` where this is all of it."""
        if self._hook is not None:
            self._ask(self._hook, message)
            return
        found = scan_frame(message) if whole else scan_frame(message, False)
        if found:
            key, time = found
            try:
                feed = self._feeds[key]
            except KeyError:
                feed = self._learn(key)
            if feed is not None:
                feed.message(time)
        elif found is False:
            self._malformed(1)

    def lose(self) -> None:
        """The connection is gone, which the bot did not want."""
        held, self._held = self._held, {}
        if held:
            self._subscriptions.lose(self._path, held)

    def close(self) -> None:
        """The bot ended it."""
        held, self._held = self._held, {}
        self._subscriptions.drop(held)

    def _learn(self, key: tuple[str | None, str | None]) -> Feed | None:
        kind, symbol = key[0] or self._default, key[1]
        meant = type_of(kind) if kind is not None else None
        if kind is None or meant is None:
            return self._keep(key, None)
        if self._user:
            meant = "user"
        named = symbol is None or symbol.lower() in kind.lower()
        return self._feed(key, kind if named else f"{kind}:{symbol}", symbol, meant)

    def _ask(self, hook: FrameHook, message: Any) -> None:  # noqa: ANN401 - as above
        try:
            told = hook(message)
            if told is None:
                return
            subscription, symbol, meant, time = told
        except Exception as error:
            _complaints.say(f"frame_hook failed: {type(error).__name__}: {error}; frames are counted without it")
            return
        key = (subscription, symbol, meant)
        feed = self._feeds.get(key) or self._feed(key, subscription, symbol, meant)
        if feed is not None:
            feed.message(time)

    def _feed(self, key: Any, subscription: str, symbol: str | None, meant: str) -> Feed | None:  # noqa: ANN401 - any key
        if len(self._feeds) >= SUBSCRIPTIONS:
            subscription, symbol = "other", None
        stale = math.inf if meant == "user" else None  # accounts are quiet when nothing is traded
        feed = self._subscriptions.feeds.feed(
            self._venue, subscription, symbol=symbol, type=meant, stale=stale, exchanged=False
        )
        if feed not in self._held:
            self._held[feed] = None
            self._subscriptions.hold(feed)
        return self._keep(key, feed)

    def _keep(self, key: Any, feed: Feed | None) -> Feed | None:  # noqa: ANN401 - as above
        if len(self._feeds) < SUBSCRIPTIONS:
            self._feeds[key] = feed
        return feed
