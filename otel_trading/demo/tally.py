"""The run in plain numbers, for the screen and the summary."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.demo.bot.strategy import VenueName


class TickToTrade(NamedTuple):
    """One measured way from tick to order; orders by how long it took."""

    seconds: float
    trace_id: str


@dataclass(slots=True)
class Feed:
    """One venue's market data: frames by stream, last trade price, when the last frame came, and its connection.

    ``latency`` is what the venue's clock says of the last depth frame's way, ``clock_offset`` how far that clock must
    at least be ahead of ours, because no frame of late took less than no time.
    """

    frames: Counter[str] = field(default_factory=Counter)
    last_price: float = 0.0
    received_ns: int = 0
    connected: bool = False
    reconnects: int = 0
    latency: float = 0.0
    clock_offset: float = 0.0


@dataclass(slots=True)
class Tally:
    """Everything that was counted."""

    feeds: dict[VenueName, Feed] = field(default_factory=lambda: {"spot": Feed(), "perp": Feed()})
    orders: int = 0
    fills: int = 0
    rejects: int = 0
    trades: Counter[str] = field(default_factory=Counter)
    realized: Decimal = Decimal(0)
    unrealized: Decimal = Decimal(0)
    commission: Decimal = Decimal(0)
    positions: dict[VenueName, Decimal] = field(default_factory=lambda: {"spot": Decimal(0), "perp": Decimal(0)})
    limit: str = ""
    ticks_to_trade: list[TickToTrade] = field(default_factory=list)
    acks: dict[VenueName, list[float]] = field(default_factory=lambda: {"spot": [], "perp": []})
    events: deque[tuple[float, str, str]] = field(default_factory=lambda: deque(maxlen=8))

    def tick_to_trade(self, seconds: float, trace_id: str) -> None:
        """Remember one way from tick to order."""
        self.ticks_to_trade.append(TickToTrade(seconds, trace_id))

    @property
    def messages(self) -> int:
        """Frames of both venues."""
        return sum(feed.frames.total() for feed in self.feeds.values())


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """The median and the 99th percentile by nearest rank; ``None`` where nothing was measured.

    >>> percentiles([0.3, 0.1, 0.2])
    {'p50': 0.2, 'p99': 0.3}
    >>> percentiles([])
    {'p50': None, 'p99': None}
    """
    ordered = sorted(values)
    return {name: _rank(ordered, share) for name, share in (("p50", 50), ("p99", 99))}


def _rank(ordered: Sequence[float], share: int) -> float | None:
    return ordered[max(0, -(-share * len(ordered) // 100) - 1)] if ordered else None
