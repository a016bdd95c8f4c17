"""freqtrade's bot, in live trading and in dry runs: its exchange, its loop, its wallets, its messages."""

from __future__ import annotations

import threading
import weakref
from functools import wraps
from time import perf_counter
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_trading.instrument.freqtrade.messages import Messages, handler_class
from otel_trading.instrument.freqtrade.telling import subclasses
from otel_trading.trading.bound import bound
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.instrument.freqtrade.telling import Telling
    from otel_trading.instrument.patching import Patches

ORDERS_MARK = "otel_trading_orders"
"""Set to ``False`` on a ccxt exchange, it says that ccxt's instrumentation leaves its orders alone."""
_NOTHING = (0.0, 0.0, 0.0)


def patch_exchange(patches: Patches, telling: Telling, module: Any) -> None:  # noqa: ANN401 - freqtrade.exchange.exchange
    """Hear which orders go out and which are called back."""
    exchange = Exchanges(telling)
    for kind in subclasses(module.Exchange):
        for name, make in exchange.makers.items():
            if name in vars(kind):
                patches.wrap(kind, name, make)
    patches.afterwards(exchange.unmark)


class Exchanges:
    """freqtrade's exchanges. A method that calls the one it overrides is heard once."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._marked: weakref.WeakSet[Any] = weakref.WeakSet()
        self._thread = threading.local()
        self.makers: Mapping[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
            "_init_ccxt": self._connections,
            "create_order": self._orders,
            "create_stoploss": self._orders,
            "cancel_order": self._cancellations,
            "cancel_order_with_result": self._results,
            "cancel_stoploss_order_with_result": self._results,
        }

    def mark(self, api: Any) -> None:  # noqa: ANN401 - ccxt's
        """Have ccxt's instrumentation leave the orders of this exchange alone."""
        if api is not None and ORDERS_MARK not in vars(api):
            setattr(api, ORDERS_MARK, False)
            self._marked.add(api)

    def unmark(self) -> None:
        """Take all marks away."""
        for api in list(self._marked):
            vars(api).pop(ORDERS_MARK, None)
        self._marked.clear()

    def _connections(self, connect: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(connect)
        def connected(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            api = connect(*args, **kwargs)
            self._telling.guard(self.mark, api)
            return api

        return connected

    def _orders(self, create: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(create)
        def created(own: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - freqtrade's
            if getattr(self._thread, "inside", False) or not is_instrumentation_enabled():
                return create(own, *args, **kwargs)
            self._telling.guard(self.mark, getattr(own, "_api", None))
            started = self._telling.trading.clock()
            self._thread.inside = True
            try:
                order = create(own, *args, **kwargs)
            except Exception as error:
                self._telling.guard(self._refused, own, kwargs, started, error)
                raise
            finally:
                self._thread.inside = False
            self._telling.guard(self._submitted, own, kwargs, started, order)
            return order

        return created

    def _cancellations(self, cancel: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(cancel)
        def canceled(own: Any, order_id: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            trading = self._telling.trading
            if self._telling.knows(order_id):
                trading.order_cancel_requested(venue_order_id=order_id)
            try:
                return cancel(own, order_id, *args, **kwargs)
            except Exception as error:
                if self._telling.knows(order_id):
                    trading.order_cancel_rejected(venue_order_id=order_id, error=error.__cause__ or error)
                raise

        return canceled

    def _results(self, cancel: Callable[..., Any]) -> Callable[..., Any]:
        """An entry that is canceled in full is deleted without its record being brought up to date."""

        @wraps(cancel)
        def canceled(own: Any, order_id: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            order = cancel(own, order_id, *args, **kwargs)
            self._telling.guard(self._ended, order_id, order)
            return order

        return canceled

    def _submitted(self, own: Any, asked: Mapping[str, Any], started: int, order: Mapping[str, Any]) -> None:  # noqa: ANN401
        telling = self._telling
        order_id = str(order["id"])
        telling.submitted(
            order_id,
            **self._what(own, asked),
            type=order.get("type") or asked.get("ordertype"),
            quantity=order.get("amount") or asked.get("amount"),
            time_ns=started,
        )
        if telling.knows(order_id):
            telling.trading.order_acknowledged(venue_order_id=order_id)

    def _refused(self, own: Any, asked: Mapping[str, Any], started: int, error: BaseException) -> None:  # noqa: ANN401
        self._telling.refused(
            error,
            **self._what(own, asked),
            type=asked.get("ordertype"),
            quantity=asked.get("amount"),
            time_ns=started,
        )

    def _what(self, own: Any, asked: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
        return {
            "venue": own.id,
            "symbol": asked.get("pair"),
            "side": asked.get("side"),
            "time_in_force": asked.get("time_in_force"),
            "price": asked.get("rate"),
            "expected_price": asked.get("rate"),
            "stop_price": asked.get("stop_price"),
            "reduce_only": asked.get("reduceOnly") or None,
        }

    def _ended(self, order_id: str, order: Mapping[str, Any]) -> None:
        self._telling.updated(
            order_id,
            status=order.get("status"),
            filled=order.get("filled"),
            price=order.get("average") or order.get("price"),
            fee=order.get("fee"),
        )


def patch_bot(patches: Patches, telling: Telling, module: Any) -> None:  # noqa: ANN401 - freqtrade.freqtradebot
    """Hear the bot's loop: how long each round takes, and what it holds when it starts."""
    bot = Bots(telling, module.Trade)
    patches.wrap(module.FreqtradeBot, "process", bot.rounds)
    patches.wrap(module.FreqtradeBot, "startup", bot.beginnings)


class Bots:
    """freqtrade's bots, of which a process has one."""

    def __init__(self, telling: Telling, trades: Any) -> None:  # noqa: ANN401 - freqtrade's
        self._telling = telling
        self._trades = trades
        duration = create(telling.said.meter, "trading.stage.duration")
        self._record = bound(duration, "record", {"trading.stage.name": "bot_loop"})

    def rounds(self, process: Callable[..., Any]) -> Callable[..., Any]:
        """One round of the loop."""

        @wraps(process)
        def processed(own: Any) -> Any:  # noqa: ANN401
            self._telling.guard(self._know, own)
            began = perf_counter()
            try:
                return process(own)
            finally:
                self._record(perf_counter() - began)

        return processed

    def beginnings(self, startup: Callable[..., Any]) -> Callable[..., Any]:
        """The bot starts to trade."""

        @wraps(startup)
        def started(own: Any) -> Any:  # noqa: ANN401
            self._telling.guard(self._know, own)
            result = startup(own)
            self._telling.guard(self._holdings)
            return result

        return started

    def _know(self, bot: Any) -> None:  # noqa: ANN401
        self._telling.strategy = bot.strategy.get_strategy_name()
        self._telling.venue = bot.exchange.id
        attend(bot.rpc, self._telling)

    def _holdings(self) -> None:
        for trade in self._trades.get_open_trades():
            self._telling.trade_changed(trade, 0, trade.realized_profit)


def patch_messages(patches: Patches, telling: Telling, module: Any) -> None:  # noqa: ANN401 - freqtrade.rpc.rpc_manager
    """Be one of those that the bot's messages are sent to."""

    def managers(init: Callable[..., None]) -> Callable[..., None]:
        @wraps(init)
        def made(own: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            init(own, *args, **kwargs)
            telling.guard(attend, own, telling)

        return made

    patches.wrap(module.RPCManager, "__init__", managers)
    patches.afterwards(lambda: depart(telling))


_attended: dict[int, list[tuple[Any, Any]]] = {}


def attend(manager: Any, telling: Telling) -> None:  # noqa: ANN401 - an RPCManager
    """Get its messages, once."""
    kind = handler_class()
    if any(isinstance(each, kind) for each in manager.registered_modules):
        return
    handler = kind(manager._rpc, {}, Messages(telling))  # noqa: SLF001 - what its own handlers are made with
    manager.registered_modules.append(handler)
    _attended.setdefault(id(telling), []).append((manager, handler))


def depart(telling: Telling) -> None:
    """Get no more messages."""
    for manager, handler in _attended.pop(id(telling), []):
        if handler in manager.registered_modules:
            manager.registered_modules.remove(handler)


def patch_wallets(patches: Patches, telling: Telling, module: Any) -> None:  # noqa: ANN401 - freqtrade.wallets
    """Hear what the wallets hold, when it changes."""
    known: dict[tuple[str, str], tuple[float, float, float]] = {}

    def tell(wallets: Any) -> None:  # noqa: ANN401
        venue = wallets._exchange.id  # noqa: SLF001 - there is no other way to it
        balances = {
            currency: (wallet.total, wallet.free, wallet.used)
            for currency, wallet in wallets.get_all_balances().items()
        }
        spent = {currency for at, currency in known if at == venue and currency not in balances}
        for currency, held in {**balances, **dict.fromkeys(spent, _NOTHING)}.items():
            if known.get((venue, currency), _NOTHING) != held:
                known[venue, currency] = held
                telling.trading.balance_changed(venue, currency, held[0], free=held[1], used=held[2])

    def updates(update: Callable[..., None]) -> Callable[..., None]:
        @wraps(update)
        def updated(own: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            update(own, *args, **kwargs)
            if not own._is_backtest:  # noqa: SLF001
                telling.guard(tell, own)

        return updated

    patches.wrap(module.Wallets, "update", updates)
