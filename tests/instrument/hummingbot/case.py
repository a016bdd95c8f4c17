"""The instrumentation of hummingbot in the conformance suite: an operation is an order of a connector."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

from otel_trading.instrument.hummingbot import HummingbotInstrumentor
from tests.instrument.hummingbot import stand_in as hb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

_numbers = count(1)


class Case:
    """Orders of a connector of the stand-in."""

    name = "hummingbot"
    instrumentor = HummingbotInstrumentor
    originals: tuple[tuple[object, str], ...] = (
        (hb.ConnectorManager, "create_connector"),
        (hb.ConnectorManager, "remove_connector"),
        (hb.ClientOrderTracker, "start_tracking_order"),
        (hb.ExchangePyBase, "_execute_cancel"),
    )
    hooks: tuple[str, ...] = ()
    error: type[BaseException] = ValueError
    many = 300
    parallel = True
    installed = False

    def __init__(self) -> None:
        self.manager = hb.ConnectorManager()
        self.connector: Any = self.manager.create_connector("binance", ["BTC-USDT"])

    def work(self, count: int) -> None:
        """Place so many orders, which are filled."""
        for _ in range(count):
            order = self.place()
            self.created(order)
            self.filled(order, "0.5", "27000", f"t-{order.client_order_id}")

    def fail(self) -> None:
        """Place an order that the venue refuses, and make a connector of nothing."""
        order = self.place()
        self.connector.trigger_event(
            hb.MarketEvent["OrderFailure"],
            hb.MarketOrderFailureEvent(1.0, order.client_order_id, order.order_type, "no money", "InsufficientFunds"),
        )
        self.manager.create_connector("kraken", [])

    def counted(self, telemetry: Captured) -> int:
        """How many orders the venue took."""
        if "trading.order.submissions" not in telemetry.metrics:
            return 0
        return int(telemetry.metrics["trading.order.submissions"].value) - self.failures(telemetry)

    def failures(self, telemetry: Captured) -> int:
        """How many it refused."""
        if "trading.execution.reports" not in telemetry.metrics:
            return 0
        points = telemetry.metrics["trading.execution.reports"].points
        return sum(int(each.value or 0) for each in points if each.attributes["trading.execution.type"] == "rejected")

    def place(self, **more: Any) -> hb.InFlightOrder:
        """An order is about to be sent."""
        order = hb.InFlightOrder(
            f"HB-{next(_numbers)}",
            "BTC-USDT",
            hb.OrderType["LIMIT"],
            hb.TradeType["BUY"],
            Decimal("0.5"),
            1.0,
            Decimal(27_000),
            **more,
        )
        self.connector.tracker.start_tracking_order(order)
        return order

    def created(self, order: hb.InFlightOrder) -> None:
        """The venue has it."""
        event = hb.BuyOrderCreatedEvent(
            1.0, order.order_type, order.trading_pair, order.amount, order.price or Decimal("NaN"),
            order.client_order_id, order.creation_timestamp, f"v-{order.client_order_id}",
        )  # fmt: skip
        self.connector.trigger_event(hb.MarketEvent["BuyOrderCreated"], event)

    def filled(
        self, order: hb.InFlightOrder, amount: str, price: str, execution: str, fee: hb.Fee | None = None
    ) -> None:
        """A part of it was executed."""
        event = hb.OrderFilledEvent(
            1.0, order.client_order_id, order.trading_pair, order.trade_type, order.order_type, Decimal(price),
            Decimal(amount), fee or hb.Fee(Decimal("0.001")), execution, f"v-{order.client_order_id}",
        )  # fmt: skip
        self.connector.trigger_event(hb.MarketEvent["OrderFilled"], event)


@contextmanager
def case() -> Iterator[Case]:
    """With the stand-in in place of hummingbot."""
    with hb.imported():
        yield Case()
