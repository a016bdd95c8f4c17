"""The generated market's order book: integer ticks and lots, moved about and told as a venue tells its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import random

_LEVELS = 120
_LARGEST_SHARE_TRADED = 0.9


@dataclass(frozen=True, slots=True)
class Style:
    """How a venue quotes.

    Args:
        tick: the price step.
        step: the quantity step.
        price_digits: decimals of a tick, and decimals written.
        quantity_digits: decimals of a step, and decimals written.
        grid_ticks: distance of the levels behind the best one.
        typical_quantity: mean quantity of a level.

    """

    tick: float
    step: float
    price_digits: tuple[int, int]
    quantity_digits: tuple[int, int]
    grid_ticks: int
    typical_quantity: float


class Top(NamedTuple):
    """Best bid and offer as written on the wire."""

    bid: str
    bid_quantity: str
    ask: str
    ask_quantity: str


class Change(NamedTuple):
    """What changed since the last depth frame."""

    first_id: int
    last_id: int
    previous_id: int
    bids: list[list[str]]
    asks: list[list[str]]


class Ladder:
    """A two-sided book around a price.

    Args:
        style: ticks, lots and density.
        price: the middle it starts around.
        first_id: the update id it starts at.
        rng: the source of quantities.

    """

    def __init__(self, style: Style, price: float, first_id: int, rng: random.Random) -> None:
        self._style = style
        self._rng = rng
        self.update_id = first_id
        self._told_id = first_id
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}
        self._changed_bids: set[int] = set()
        self._changed_asks: set[int] = set()
        self._best_bid = round(price / style.tick)
        self._reshape()
        self._changed_bids.clear()
        self._changed_asks.clear()

    def top(self) -> Top:
        """Return best bid and offer."""
        bid, ask = self._best_bid, self._best_bid + 1
        return Top(self._price(bid), self._quantity(self._bids[bid]), self._price(ask), self._quantity(self._asks[ask]))

    def snapshot(self) -> dict[str, Any]:
        """Return the whole book as a REST depth answer."""
        return {
            "lastUpdateId": self._told_id,
            "bids": [[self._price(p), self._quantity(self._bids[p])] for p in sorted(self._bids, reverse=True)],
            "asks": [[self._price(p), self._quantity(self._asks[p])] for p in sorted(self._asks)],
        }

    def move_to(self, price: float) -> None:
        """Move the best prices to around ``price``, clearing and filling levels on the way."""
        best_bid = round(price / self._style.tick)
        if abs(best_bid - self._best_bid) > self._style.grid_ticks // 3:
            self._best_bid = best_bid
            self._reshape()
            self.update_id += self._rng.randint(2, 9)

    def flicker(self) -> None:
        """Change the quantity of one level, most often of the best ones."""
        rng = self._rng
        distance = min(int(rng.expovariate(0.6)), _LEVELS // 2)
        levels, changed, first = (
            (self._bids, self._changed_bids, self._best_bid)
            if rng.random() < 0.5  # noqa: PLR2004 - either side is as likely
            else (self._asks, self._changed_asks, self._best_bid + 1)
        )
        price = first
        if distance:
            behind = sorted(levels, key=lambda each: abs(each - first))
            price = behind[min(distance, len(behind) - 1)]
        levels[price] = self._draw_quantity()
        changed.add(price)
        self.update_id += rng.randint(1, 4)

    def trade(self, *, hit_bid: bool) -> tuple[str, str]:
        """Trade part of a best level; return price and quantity as written."""
        price = self._best_bid if hit_bid else self._best_bid + 1
        levels, changed = (self._bids, self._changed_bids) if hit_bid else (self._asks, self._changed_asks)
        available = levels[price]
        share = min(self._rng.expovariate(4.0), _LARGEST_SHARE_TRADED)
        taken = max(1, min(int(available * share), available - 1))
        levels[price] = max(1, available - taken)
        changed.add(price)
        self.update_id += 1
        return self._price(price), self._quantity(taken)

    def take_change(self) -> Change | None:
        """Return what changed since the last call, ``None`` where nothing did."""
        if not self._changed_bids and not self._changed_asks:
            return None
        change = Change(
            self._told_id + 1,
            self.update_id,
            self._told_id,
            self._written(self._bids, sorted(self._changed_bids, reverse=True)),
            self._written(self._asks, sorted(self._changed_asks)),
        )
        self._changed_bids.clear()
        self._changed_asks.clear()
        self._told_id = self.update_id
        return change

    def _reshape(self) -> None:
        best_bid, grid = self._best_bid, self._style.grid_ticks
        lowest, highest = best_bid - grid * _LEVELS, best_bid + 1 + grid * _LEVELS
        for price in [price for price in self._bids if not lowest <= price <= best_bid]:
            del self._bids[price]
            self._changed_bids.add(price)
        for price in [price for price in self._asks if not best_bid < price <= highest]:
            del self._asks[price]
            self._changed_asks.add(price)
        wanted_bids = [best_bid, *range(best_bid // grid * grid - grid, lowest, -grid)]
        for price in wanted_bids:
            if price not in self._bids:
                self._bids[price] = self._draw_quantity()
                self._changed_bids.add(price)
        wanted_asks = [best_bid + 1, *range((best_bid // grid + 2) * grid, highest, grid)]
        for price in wanted_asks:
            if price not in self._asks:
                self._asks[price] = self._draw_quantity()
                self._changed_asks.add(price)

    def _draw_quantity(self) -> int:
        style = self._style
        return max(1, round(self._rng.gammavariate(1.2, style.typical_quantity / 1.2) / style.step))

    def _written(self, levels: dict[int, int], prices: list[int]) -> list[list[str]]:
        return [[self._price(price), self._quantity(levels.get(price, 0))] for price in prices]

    def _price(self, ticks: int) -> str:
        return _decimal(ticks, *self._style.price_digits)

    def _quantity(self, lots: int) -> str:
        return _decimal(lots, *self._style.quantity_digits)


def _decimal(units: int, digits: int, written: int) -> str:
    whole, fraction = divmod(units, 10**digits)
    return f"{whole}.{fraction:0{digits}d}{'0' * (written - digits)}"
