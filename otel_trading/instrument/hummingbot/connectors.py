"""The connectors that are listened to."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_trading.instrument.hummingbot.events import Events
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.reporting import Reporting

_TAGS = {
    "MarketEvent": (
        *("BuyOrderCreated", "SellOrderCreated", "OrderFilled", "BuyOrderCompleted", "SellOrderCompleted"),
        *("OrderCancelled", "OrderExpired", "OrderFailure", "FundingPaymentCompleted"),
    ),
    "AccountEvent": ("BalanceEvent", "PositionUpdate"),
}


class Connectors:
    """Holds what listens, since hummingbot itself does not."""

    def __init__(self, said: Reporting) -> None:
        self._events = Events(said)
        self._held: list[tuple[Any, list[tuple[Any, Any]]]] = []
        self._complaints = Complaints("the instrumentation of hummingbot")

    def attend(self, connector: Any) -> None:  # noqa: ANN401 - hummingbot's
        """Listen to a connector, once."""
        if connector is None or any(each is connector for each, _ in self._held):
            return
        self._guard(self._listen, connector)

    def leave(self, connector: Any) -> None:  # noqa: ANN401
        """Listen to it no more."""
        for held in [held for held in self._held if held[0] is connector]:
            self._held.remove(held)
            for tag, forwarder in held[1]:
                self._guard(connector.remove_listener, tag, forwarder)

    def leave_all(self) -> None:
        """Listen to none any more."""
        for connector, _ in list(self._held):
            self.leave(connector)

    def tracked(self, tracker: Any, order: Any) -> None:  # noqa: ANN401
        """A connector follows an order from now on."""
        self._told(self._events.tracked, tracker._connector.name, order)  # noqa: SLF001 - it has no other name

    def cancel_requested(self, order_id: str) -> None:
        """A connector calls an order back."""
        self._told(self._events.cancel_requested, order_id)

    def _listen(self, connector: Any) -> None:  # noqa: ANN401
        forwarders = import_module("hummingbot.core.event.event_forwarder")
        tags = import_module("hummingbot.core.event.events")
        name = connector.name

        def forward(_: int, __: Any, event: Any) -> None:  # noqa: ANN401
            self._told(self._events.take, name, event)

        forwarder = forwarders.SourceInfoEventForwarder(forward)
        listening: list[tuple[Any, Any]] = []
        self._held.append((connector, listening))
        for group, names in _TAGS.items():
            known = getattr(tags, group, None)
            for each in names:
                tag = getattr(known, each, None)
                if tag is not None:
                    connector.add_listener(tag, forwarder)
                    listening.append((tag, forwarder))

    def _told(self, tell: Callable[..., Any], *args: Any) -> None:  # noqa: ANN401
        if is_instrumentation_enabled():
            self._guard(tell, *args)

    def _guard(self, tell: Callable[..., Any], *args: Any) -> None:  # noqa: ANN401
        try:
            tell(*args)
        except Exception as error:
            self._complaints.say(f"{getattr(tell, '__name__', tell)} failed: {type(error).__name__}: {error}")
