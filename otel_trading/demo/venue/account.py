"""The paper accounts: spot balances with locks, and a one-way cross-margined perpetual position. No float anywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol

from otel_trading.demo.venue.orders import Order, Side
from otel_trading.demo.venue.rules import BASE_ASSET, QUOTE_ASSET

_ZERO = Decimal(0)
_CENT_OF_A_SATOSHI = Decimal("0.0000000001")
_SATOSHI = Decimal("0.00000001")


class Account(Protocol):
    """What the matching engine asks of an account."""

    def affords(self, order: Order, price: Decimal) -> bool:
        """Whether the account can carry ``order`` if it executes at ``price``."""
        ...

    def lock(self, order: Order) -> None:
        """Set aside what a resting order needs."""
        ...

    def release(self, order: Order) -> None:
        """Give back what was set aside for what an order will not fill."""
        ...

    def settle(self, order: Order, price: Decimal, quantity: Decimal, fee: Decimal) -> tuple[Decimal, str, Decimal]:
        """Book a fill of ``order``; return the commission, its asset and the profit it realized."""
        ...


@dataclass(slots=True)
class Balance:
    """What an account holds of one asset."""

    free: Decimal = _ZERO
    locked: Decimal = _ZERO


@dataclass(slots=True)
class SpotAccount:
    """Balances of the base and the quote asset; commission is taken from what a fill brings in."""

    balances: dict[str, Balance] = field(
        default_factory=lambda: {BASE_ASSET: Balance(Decimal(10)), QUOTE_ASSET: Balance(Decimal(1000000))}
    )
    _locked: dict[int, Decimal] = field(default_factory=dict)

    def affords(self, order: Order, price: Decimal) -> bool:
        """Whether the free balance covers the order."""
        if order.side is Side.BUY:
            return order.remaining * price <= self.balances[QUOTE_ASSET].free
        return order.remaining <= self.balances[BASE_ASSET].free

    def lock(self, order: Order) -> None:
        """Move what the rest of the order needs from free to locked."""
        asset, amount = self._needs(order)
        self._locked[order.id] = amount
        self.balances[asset].free -= amount
        self.balances[asset].locked += amount

    def release(self, order: Order) -> None:
        """Move what is still locked for the order back to free."""
        amount = self._locked.pop(order.id, _ZERO)
        asset, _ = self._needs(order)
        self.balances[asset].locked -= amount
        self.balances[asset].free += amount

    def settle(self, order: Order, price: Decimal, quantity: Decimal, fee: Decimal) -> tuple[Decimal, str, Decimal]:
        """Exchange the assets; the commission is taken from the asset received."""
        cost = price * quantity
        base, quote = self.balances[BASE_ASSET], self.balances[QUOTE_ASSET]
        if order.side is Side.BUY:
            self._pay(order, quote, cost, (order.price or price) * quantity)
            commission = _round(quantity * fee)
            base.free += quantity - commission
            return commission, BASE_ASSET, _ZERO
        self._pay(order, base, quantity, quantity)
        commission = _round(cost * fee)
        quote.free += cost - commission
        return commission, QUOTE_ASSET, _ZERO

    def _pay(self, order: Order, balance: Balance, amount: Decimal, set_aside: Decimal) -> None:
        if order.id in self._locked:
            self._locked[order.id] -= set_aside
            balance.locked -= set_aside
            balance.free += set_aside
        balance.free -= amount

    @staticmethod
    def _needs(order: Order) -> tuple[str, Decimal]:
        if order.side is Side.BUY:
            return QUOTE_ASSET, order.remaining * (order.price or _ZERO)
        return BASE_ASSET, order.remaining


@dataclass(slots=True)
class PerpAccount:
    """A USDT wallet and one position in one-way mode, cross margin."""

    wallet: Decimal = Decimal(1000000)
    leverage: int = 20
    position: Decimal = _ZERO
    entry_price: Decimal = _ZERO
    mark_price: Decimal = _ZERO
    realized: Decimal = _ZERO
    _order_margin: dict[int, Decimal] = field(default_factory=dict)

    @property
    def unrealized(self) -> Decimal:
        """Profit of the open position at the mark price."""
        return (self.mark_price - self.entry_price) * self.position if self.position else _ZERO

    @property
    def position_margin(self) -> Decimal:
        """Initial margin of the position."""
        return abs(self.position) * (self.mark_price or self.entry_price) / self.leverage

    @property
    def order_margin(self) -> Decimal:
        """Initial margin set aside for resting orders."""
        return sum(self._order_margin.values(), _ZERO)

    @property
    def available(self) -> Decimal:
        """What new orders may use as margin."""
        return self.wallet + self.unrealized - self.position_margin - self.order_margin

    def affords(self, order: Order, price: Decimal) -> bool:
        """Whether the margin of what the order adds to the position is available."""
        return self._added(order) * price / self.leverage <= self.available

    def lock(self, order: Order) -> None:
        """Set aside the initial margin of what the order would add."""
        self._order_margin[order.id] = self._added(order) * (order.price or self.mark_price) / self.leverage

    def release(self, order: Order) -> None:
        """Give back the order's margin."""
        self._order_margin.pop(order.id, None)

    def settle(self, order: Order, price: Decimal, quantity: Decimal, fee: Decimal) -> tuple[Decimal, str, Decimal]:
        """Move the position; closing any of it realizes profit into the wallet, and the commission leaves it."""
        if order.id in self._order_margin:
            self._order_margin[order.id] *= 1 - quantity / (order.remaining + quantity)
        signed = quantity if order.side is Side.BUY else -quantity
        realized = _ZERO
        if self.position * signed < 0:
            closed = min(abs(self.position), quantity)
            realized = _round((price - self.entry_price) * closed * (1 if self.position > 0 else -1))
        after = self.position + signed
        if not after:
            self.entry_price = _ZERO
        elif self.position * after <= 0:
            self.entry_price = price
        elif abs(after) > abs(self.position):
            total = self.entry_price * abs(self.position) + price * quantity
            self.entry_price = (total / abs(after)).quantize(_CENT_OF_A_SATOSHI)
        self.position = after
        commission = _round(price * quantity * fee)
        self.wallet += realized - commission
        self.realized += realized
        return commission, QUOTE_ASSET, realized

    def reducible(self, side: Side) -> Decimal:
        """How much an order of ``side`` can take off the position."""
        return max(-self.position if side is Side.BUY else self.position, _ZERO)

    def _added(self, order: Order) -> Decimal:
        signed = order.remaining if order.side is Side.BUY else -order.remaining
        return max(abs(self.position + signed) - abs(self.position), _ZERO)


def _round(amount: Decimal) -> Decimal:
    return amount.quantize(_SATOSHI, rounding=ROUND_HALF_EVEN)
