"""A stand-in for hummingbot 20260922: its names, its weak references, and nothing else of it.

hummingbot comes from a conda environment of its own and cannot be installed beside the other libraries. What is here
was written against the names and signatures of that release: ``core/pubsub.pyx``, ``core/event/event_forwarder.py``,
``core/event/events.py``, ``core/connector_manager.py``, ``connector/client_order_tracker.py``,
``connector/exchange_py_base.py``. As there, listeners are kept by weak references, an exception in one of them is
logged and goes no further, and the time of an event is that of a clock which ticks once a second.
"""

from __future__ import annotations

import logging
import sys
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MarketEvent = Enum(
    "MarketEvent",
    {
        "BuyOrderCompleted": 102,
        "SellOrderCompleted": 103,
        "OrderCancelled": 106,
        "OrderFilled": 107,
        "OrderExpired": 108,
        "OrderFailure": 198,
        "BuyOrderCreated": 200,
        "SellOrderCreated": 201,
        "FundingPaymentCompleted": 202,
    },
)
AccountEvent = Enum("AccountEvent", {"BalanceEvent": 402, "PositionUpdate": 403})
OrderType = Enum("OrderType", {"MARKET": 1, "LIMIT": 2, "LIMIT_MAKER": 3})
TradeType = Enum("TradeType", {"BUY": 1, "SELL": 2})
PositionSide = Enum("PositionSide", {"LONG": "LONG", "SHORT": "SHORT", "BOTH": "BOTH"})
PositionAction = Enum("PositionAction", {"OPEN": "OPEN", "CLOSE": "CLOSE", "NIL": "NIL"})
OrderState = Enum("OrderState", {"PENDING_CREATE": 0, "OPEN": 1, "FILLED": 5})


class TokenAmount(NamedTuple):
    token: str
    amount: Decimal


@dataclass
class Fee:
    percent: Decimal = Decimal(0)
    percent_token: str | None = None
    flat_fees: list[TokenAmount] = field(default_factory=list)


@dataclass
class BuyOrderCreatedEvent:
    timestamp: float
    type: Any
    trading_pair: str
    amount: Decimal
    price: Decimal
    order_id: str
    creation_timestamp: float
    exchange_order_id: str | None = None
    leverage: int | None = 1
    position: str | None = "NIL"


@dataclass
class SellOrderCreatedEvent(BuyOrderCreatedEvent):
    pass


class OrderFilledEvent(NamedTuple):
    timestamp: float
    order_id: str
    trading_pair: str
    trade_type: Any
    order_type: Any
    price: Decimal
    amount: Decimal
    trade_fee: Fee
    exchange_trade_id: str = ""
    exchange_order_id: str = ""


@dataclass
class BuyOrderCompletedEvent:
    timestamp: float
    order_id: str
    base_asset: str
    quote_asset: str
    base_asset_amount: Decimal
    quote_asset_amount: Decimal
    order_type: Any
    exchange_order_id: str | None = None


@dataclass
class OrderCancelledEvent:
    timestamp: float
    order_id: str
    exchange_order_id: str | None = None


class OrderExpiredEvent(NamedTuple):
    timestamp: float
    order_id: str


class MarketOrderFailureEvent(NamedTuple):
    timestamp: float
    order_id: str
    order_type: Any
    error_message: str | None = None
    error_type: str | None = None


@dataclass
class FundingPaymentCompletedEvent:
    timestamp: float
    market: str
    trading_pair: str
    amount: Decimal
    funding_rate: Decimal


@dataclass
class BalanceUpdateEvent:
    timestamp: float
    asset_name: str
    total_balance: Decimal | None = None
    available_balance: Decimal | None = None


@dataclass
class PositionUpdateEvent:
    timestamp: float
    trading_pair: str
    position_side: Any
    unrealized_pnl: Decimal
    entry_price: Decimal
    amount: Decimal
    leverage: Decimal


class PubSub:
    """Calls listeners that somebody else holds."""

    def __init__(self) -> None:
        self._listeners: dict[Any, list[weakref.ref[Any]]] = {}

    def add_listener(self, event_tag: Any, listener: Any) -> None:
        if listener not in self.get_listeners(event_tag):
            self._listeners.setdefault(event_tag.value, []).append(weakref.ref(listener))

    def remove_listener(self, event_tag: Any, listener: Any) -> None:
        self._listeners[event_tag.value] = [
            each for each in self._listeners.get(event_tag.value, []) if each() not in {None, listener}
        ]

    def get_listeners(self, event_tag: Any) -> list[Any]:
        return [found for each in self._listeners.get(event_tag.value, []) if (found := each()) is not None]

    def trigger_event(self, event_tag: Any, message: Any) -> None:
        for listener in self.get_listeners(event_tag):
            try:
                listener.current_event_tag, listener.current_event_caller = event_tag.value, self
                listener(message)
            except Exception:
                logging.getLogger(__name__).exception("Unexpected error while processing event %s.", event_tag)


class SourceInfoEventForwarder:
    def __init__(self, to_function: Callable[[int, PubSub, Any], None]) -> None:
        self._to_function = to_function
        self.current_event_tag = 0
        self.current_event_caller: Any = None

    def __call__(self, arg: Any) -> None:
        self._to_function(self.current_event_tag, self.current_event_caller, arg)


@dataclass
class InFlightOrder:
    client_order_id: str
    trading_pair: str
    order_type: Any
    trade_type: Any
    amount: Decimal
    creation_timestamp: float
    price: Decimal | None = None
    exchange_order_id: str | None = None
    current_state: Any = OrderState["PENDING_CREATE"]
    position: Any = PositionAction["NIL"]
    executed_amount_base: Decimal = Decimal(0)


class ClientOrderTracker:
    def __init__(self, connector: Any) -> None:
        self._connector = connector
        self.orders: dict[str, InFlightOrder] = {}

    def start_tracking_order(self, order: InFlightOrder) -> None:
        self.orders[order.client_order_id] = order


class ExchangePyBase(PubSub):
    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.tracker = ClientOrderTracker(self)
        self.asked: list[str] = []

    async def _execute_cancel(self, trading_pair: str, order_id: str) -> str:
        self.asked.append(order_id)
        return order_id


class ConnectorManager:
    def __init__(self) -> None:
        self.connectors: dict[str, Any] = {}

    def create_connector(self, connector_name: str, trading_pairs: list[str], **_: Any) -> Any:
        if not trading_pairs:
            raise ValueError("no trading pairs")
        return self.connectors.setdefault(connector_name, ExchangePyBase(connector_name))

    def remove_connector(self, connector_name: str) -> bool:
        return self.connectors.pop(connector_name, None) is not None


_MODULES: dict[str, dict[str, Any]] = {
    "hummingbot": {},
    "hummingbot.core": {},
    "hummingbot.core.event": {},
    "hummingbot.connector": {},
    "hummingbot.core.event.events": {"MarketEvent": MarketEvent, "AccountEvent": AccountEvent},
    "hummingbot.core.event.event_forwarder": {"SourceInfoEventForwarder": SourceInfoEventForwarder},
    "hummingbot.core.connector_manager": {"ConnectorManager": ConnectorManager},
    "hummingbot.connector.client_order_tracker": {"ClientOrderTracker": ClientOrderTracker},
    "hummingbot.connector.exchange_py_base": {"ExchangePyBase": ExchangePyBase},
}


@contextmanager
def imported() -> Iterator[None]:
    """The stand-in can be imported as hummingbot, and is."""
    made = {name: ModuleType(name) for name in _MODULES}
    for name, module in made.items():
        vars(module).update(_MODULES[name])
        vars(module)["__path__"] = []
    before = {name: sys.modules.get(name) for name in made}
    sys.modules.update(made)
    try:
        yield
    finally:
        for name, was in before.items():
            if was is None:
                del sys.modules[name]
            else:
                sys.modules[name] = was
