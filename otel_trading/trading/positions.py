"""What the bot holds, as it says itself."""

from __future__ import annotations

from operator import add
from typing import TYPE_CHECKING

from otel_trading import forks
from otel_trading.trading.orders.order import exactly

if TYPE_CHECKING:
    from otel_trading.trading.orders.order import Amount

_POSITIONS = 10_000
"""Positions that are remembered; those that are zero are not."""


class Positions:
    """Positions by venue, symbol and strategy, as ``position_changed`` told them last.

    >>> positions = Positions()
    >>> positions.put("binance", "BTC/USDT", "basis", 0.5)
    >>> positions.put("binance", "BTC/USDT", "momentum", -0.25)
    >>> positions.at("binance"), len(positions)
    ({'BTC/USDT': 0.25}, 2)
    """

    def __init__(self) -> None:
        self._lock = forks.lock()
        self._held: dict[tuple[str, str, str | None], Amount] = {}

    def __len__(self) -> int:
        """How many are not zero."""
        return len(self._held)

    def put(self, venue: str, symbol: str, strategy: str | None, quantity: Amount) -> None:
        """A position has this size from now on."""
        key = (venue, symbol, strategy)
        with self._lock:
            if quantity == 0:
                self._held.pop(key, None)
            elif key in self._held or len(self._held) < _POSITIONS:
                self._held[key] = quantity

    def at(self, venue: str) -> dict[str, Amount]:
        """What is held at a venue, by symbol; all strategies together."""
        totals: dict[str, Amount] = {}
        with self._lock:
            for (where, symbol, _), quantity in self._held.items():
                if where == venue:
                    totals[symbol] = exactly(add, totals[symbol], quantity) if symbol in totals else quantity
        return totals

    def venues(self) -> set[str]:
        """Where something is held."""
        with self._lock:
            return {venue for venue, _, _ in self._held}

    def clear(self) -> None:
        """Forget all, as in a forked child."""
        with self._lock:
            self._held.clear()
