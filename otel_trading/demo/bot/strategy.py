"""The decision: when the perpetual's distance from spot is unusual, and when it has come back.

Pure: quotes go in, signals come out. Nothing here knows of sockets, orders or telemetry.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

VenueName = Literal["spot", "perp"]
Side = Literal["buy", "sell"]


class Quote(NamedTuple):
    """The best prices of a venue.

    Args:
        bid: best price to sell at.
        ask: best price to buy at.
        received_ns: when the bot received it, in nanoseconds since the epoch.

    """

    bid: float
    ask: float
    received_ns: int

    @property
    def mid(self) -> float:
        """The price halfway."""
        return (self.bid + self.ask) / 2


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the strategy is tuned by; times are in seconds of the market's own clock.

    Args:
        memory: over how long the basis' mean and deviation are taken.
        warm_up: how long to watch before the first trade.
        entry: open when the basis is this many standard deviations from its mean ...
        floor_bps: ... and at least this many basis points: a round trip of both legs costs 8 in commissions.
        exit: close when it has gone this many standard deviations beyond its mean on the other side.
        longest_hold: close after this time in any case.

    """

    memory: float = 60.0
    warm_up: float = 6.0
    entry: float = 1.0
    floor_bps: float = 9.0
    exit: float = 0.8
    longest_hold: float = 40.0


@dataclass(frozen=True, slots=True)
class Signal:
    """What to do now, and why.

    Args:
        action: ``open`` a position or ``close`` it.
        spot: the side of the spot order; the perpetual's is the other one.
        basis_bps: the perpetual's distance from spot.
        edge_bps: how far that is from its mean, always positive.
        received_ns: when the tick that said so was received.

    """

    action: Literal["open", "close"]
    spot: Side
    basis_bps: float
    edge_bps: float
    received_ns: int

    def side(self, venue: VenueName) -> Side:
        """The side of the order on a venue."""
        return self.spot if venue == "spot" else opposite(self.spot)


class BasisStrategy:
    """Sells the perpetual and buys spot when the basis is rich, the other way round when it is cheap.

    >>> strategy = BasisStrategy(Parameters(warm_up=1.0, floor_bps=2.0))
    >>> for second in range(4):
    ...     signal = strategy.on_quotes(Quote(99.99, 100.01, 0), Quote(99.99, 100.01, 0), float(second))
    >>> rich = strategy.on_quotes(Quote(99.99, 100.01, 0), Quote(100.19, 100.21, 0), 4.0)
    >>> rich.action, rich.spot, rich.side("perp"), round(rich.basis_bps)
    ('open', 'buy', 'sell', 20)
    """

    def __init__(self, parameters: Parameters | None = None) -> None:
        self.parameters = parameters or Parameters()
        self.basis_bps = 0.0
        self.mean_bps = 0.0
        self._variance = 0.0
        self._time = 0.0
        self._market_time: float | None = None
        self._holding: Side | None = None
        self._held_since = 0.0

    @property
    def deviation_bps(self) -> float:
        """How far the basis is from its mean."""
        return self.basis_bps - self.mean_bps

    @property
    def threshold_bps(self) -> float:
        """From which distance on a position is opened."""
        return max(self.parameters.floor_bps, self.parameters.entry * math.sqrt(self._variance))

    def on_quotes(self, spot: Quote, perp: Quote, market_time: float) -> Signal | None:
        """Take the newest quotes of both venues and say what to do.

        Args:
            spot: the newest quote of the spot venue.
            perp: the newest quote of the perpetual.
            market_time: seconds of the market's clock; it may jump, then the jump is not counted.

        """
        self._learn((perp.bid + perp.ask) / (spot.bid + spot.ask) * 1e4 - 1e4, market_time)
        if self._time < self.parameters.warm_up:
            return None
        deviation = self.deviation_bps
        if self._holding is None:
            if abs(deviation) < self.threshold_bps:
                return None
            side: Side = "buy" if deviation > 0 else "sell"
            return self._signal("open", side, max(spot.received_ns, perp.received_ns))
        expected = deviation if self._holding == "buy" else -deviation
        back = expected <= -self.parameters.exit * math.sqrt(self._variance)
        if back or self._time - self._held_since >= self.parameters.longest_hold:
            return self._signal("close", opposite(self._holding), max(spot.received_ns, perp.received_ns))
        return None

    def holds(self, spot: Side | None) -> None:
        """Take note of the position that is held now: the side of its spot leg, or none."""
        if spot != self._holding:
            self._holding, self._held_since = spot, self._time

    def _signal(self, action: Literal["open", "close"], side: Side, received_ns: int) -> Signal:
        return Signal(action, side, self.basis_bps, abs(self.deviation_bps), received_ns)

    def _learn(self, basis_bps: float, market_time: float) -> None:
        if self._market_time is None:
            self.mean_bps = basis_bps
        else:
            passed = min(max(market_time - self._market_time, 0.0), 1.0)
            self._time += passed
            if passed > 0.0:
                weight = passed / min(self._time, self.parameters.memory)
                self.mean_bps += weight * (basis_bps - self.mean_bps)
                self._variance += weight * ((basis_bps - self.mean_bps) ** 2 - self._variance)
        self._market_time = market_time
        self.basis_bps = basis_bps


def opposite(side: Side) -> Side:
    """The other side.

    >>> opposite("buy")
    'sell'
    """
    return "sell" if side == "buy" else "buy"
