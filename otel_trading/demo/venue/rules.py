"""What each venue lists and demands of an order: filters, fees, limits, and its words for what breaks them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from otel_trading.demo.venue.orders import NewOrder, OrderType, Reject, Side, TimeInForce

if TYPE_CHECKING:
    from otel_trading.demo.venue.market import VenueName

SYMBOL = "BTCUSDT"
BASE_ASSET = "BTC"
QUOTE_ASSET = "USDT"


@dataclass(frozen=True, slots=True)
class Rules:
    """Filters and fees of the one instrument of a venue; fees are fractions of the notional."""

    venue: VenueName
    tick: Decimal
    step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    max_price: Decimal
    maker_fee: Decimal
    taker_fee: Decimal

    def check(self, order: NewOrder, reference: Decimal | None) -> None:
        """Refuse an order that breaks a filter.

        Args:
            order: the order asked for.
            reference: the price at which a market order is valued, ``None`` where there is no book.

        Raises:
            Reject: with the venue's own code and words.

        """
        if self.venue == "spot":
            self._check_spot(order, reference)
        else:
            self._check_perp(order, reference)

    def _check_spot(self, order: NewOrder, reference: Decimal | None) -> None:
        if order.time_in_force is TimeInForce.GTX:
            raise Reject(-1115, "Invalid timeInForce.")
        price = order.price if order.price is not None else reference
        if order.price is not None and (order.price <= 0 or order.price > self.max_price or order.price % self.tick):
            raise Reject(-1013, "Filter failure: PRICE_FILTER")
        if order.quote_quantity is not None:
            notional = order.quote_quantity
        else:
            if order.quantity < self.min_quantity or order.quantity > self.max_quantity or order.quantity % self.step:
                raise Reject(-1013, "Filter failure: LOT_SIZE")
            notional = order.quantity * (price or Decimal(0))
        if notional < self.min_notional:
            raise Reject(-1013, "Filter failure: NOTIONAL")

    def _check_perp(self, order: NewOrder, reference: Decimal | None) -> None:
        if order.type is OrderType.LIMIT_MAKER:
            raise Reject(-1116, "Invalid orderType.")
        price = order.price if order.price is not None else reference
        if order.quantity <= 0:
            raise Reject(-4003, "Quantity less than or equal to zero.")
        if order.quantity % self.step:
            raise Reject(-1111, "Precision is over the maximum defined for this asset.")
        if order.quantity > self.max_quantity:
            raise Reject(-4005, "Quantity greater than max quantity.")
        if order.price is not None:
            if order.price <= 0:
                raise Reject(-4001, "Price less than 0.")
            if order.price > self.max_price:
                raise Reject(-4016, f"Limit price can't be higher than {self.max_price}.")
            if order.price % self.tick:
                raise Reject(-4014, "Price not increased by tick size.")
        if not order.reduce_only and order.quantity * (price or Decimal(0)) < self.min_notional:
            raise Reject(
                -4164,
                f"Order's notional must be no smaller than {self.min_notional} (unless you choose reduce only).",
            )

    def would_take(self, order: NewOrder, best_bid: Decimal | None, best_ask: Decimal | None) -> bool:
        """Whether ``order`` crosses the book on arrival."""
        if order.price is None:
            return True
        if order.side is Side.BUY:
            return best_ask is not None and order.price >= best_ask
        return best_bid is not None and order.price <= best_bid

    def post_only_reject(self) -> Reject:
        """Return what a post-only order that would take is answered."""
        if self.venue == "spot":
            return Reject(-2010, "Order would immediately match and take.")
        return Reject(-5022, "Due to the order could not be executed as maker, the Post Only order will be rejected.")

    def funds_reject(self) -> Reject:
        """Return what an order beyond the account's means is answered."""
        if self.venue == "spot":
            return Reject(-2010, "Account has insufficient balance for requested action.")
        return Reject(-2019, "Margin is insufficient.")


RULES: dict[VenueName, Rules] = {
    "spot": Rules(
        venue="spot",
        tick=Decimal("0.01"),
        step=Decimal("0.00001"),
        min_quantity=Decimal("0.00001"),
        max_quantity=Decimal(9000),
        min_notional=Decimal(5),
        max_price=Decimal(1000000),
        maker_fee=Decimal("0.00011"),
        taker_fee=Decimal("0.00023"),
    ),
    "perp": Rules(
        venue="perp",
        tick=Decimal("0.10"),
        step=Decimal("0.001"),
        min_quantity=Decimal("0.001"),
        max_quantity=Decimal(1000),
        min_notional=Decimal(100),
        max_price=Decimal(4529764),
        maker_fee=Decimal(0),
        taker_fee=Decimal("0.00017"),
    ),
}
