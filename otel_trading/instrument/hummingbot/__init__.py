"""hummingbot: the events of its connectors become trading events.

Written for the contract of hummingbot 20260922: the tags of ``MarketEvent`` and ``AccountEvent``, the fields of their
events, ``SourceInfoEventForwarder``, ``ConnectorManager``, ``ClientOrderTracker`` and ``ExchangePyBase``. hummingbot is
installed from its own conda environment, not from PyPI, so the tests hold this against stand-ins with just these names.
"""

from __future__ import annotations

import gc
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

from otel_trading.imports import when_imported
from otel_trading.instrument.hummingbot.connectors import Connectors
from otel_trading.instrument.instrumentor import Instrumentor
from otel_trading.instrument.reporting import reporting

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting

__all__ = ["HummingbotInstrumentor", "listen"]

_CORE = "hummingbot.core.connector_manager"
_TRACKER = "hummingbot.connector.client_order_tracker"
_EXCHANGE = "hummingbot.connector.exchange_py_base"


class HummingbotInstrumentor(Instrumentor):
    """Listens to each connector that hummingbot makes, and to those that it has made."""

    packages: ClassVar[tuple[str, ...]] = ()

    def _patch(self, patches: Patches, said: Reporting, **given: Any) -> None:  # noqa: ANN401 - the contract's
        connectors = Connectors(said)
        patches.afterwards(connectors.leave_all)

        def managers(module: ModuleType) -> None:
            patches.wrap(module.ConnectorManager, "create_connector", _creations(connectors))
            patches.wrap(module.ConnectorManager, "remove_connector", _removals(connectors))
            for manager in [each for each in gc.get_objects() if type(each) is module.ConnectorManager]:
                for connector in list(manager.connectors.values()):
                    connectors.attend(connector)

        def trackers(module: ModuleType) -> None:
            patches.wrap(module.ClientOrderTracker, "start_tracking_order", _orders(connectors))

        def exchanges(module: ModuleType) -> None:
            patches.wrap(module.ExchangePyBase, "_execute_cancel", _cancellations(connectors))

        for name, hook in {_CORE: managers, _TRACKER: trackers, _EXCHANGE: exchanges}.items():
            patches.afterwards(when_imported(name, hook))


def listen(*connectors: Any) -> Callable[[], None]:  # noqa: ANN401 - hummingbot's
    """Listen to these connectors, for scripts that make them themselves; call the result to stop.

    hummingbot keeps its listeners by weak references alone; these are held until then.
    """
    held = Connectors(reporting({}))
    for connector in connectors:
        held.attend(connector)
    return held.leave_all


def _creations(connectors: Connectors) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(create: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(create)
        def created(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            connector = create(*args, **kwargs)
            connectors.attend(connector)
            return connector

        return created

    return make


def _removals(connectors: Connectors) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(remove: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(remove)
        def removed(self: Any, connector_name: str) -> Any:  # noqa: ANN401
            connector = self.connectors.get(connector_name)
            result = remove(self, connector_name)
            connectors.leave(connector)
            return result

        return removed

    return make


def _orders(connectors: Connectors) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """An order is tracked from just before it is sent, which no event tells."""

    def make(start: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(start)
        def started(self: Any, order: Any) -> Any:  # noqa: ANN401
            connectors.tracked(self, order)
            return start(self, order)

        return started

    return make


def _cancellations(connectors: Connectors) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def make(cancel: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(cancel)
        def canceled(self: Any, trading_pair: str, order_id: str) -> Any:  # noqa: ANN401
            connectors.cancel_requested(order_id)
            return cancel(self, trading_pair, order_id)

        return canceled

    return make
