"""freqtrade's records of orders and trades: each learns there what became of it, in live trading and in dry runs."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.instrument.freqtrade.telling import Telling
    from otel_trading.instrument.patching import Patches


def patch(patches: Patches, telling: Telling, module: Any) -> None:  # noqa: ANN401 - freqtrade.persistence.trade_model
    """Hear the records."""
    patches.wrap(module.Order, "update_from_ccxt_object", _updates(telling))
    patches.wrap(module.LocalTrade, "recalc_trade_from_orders", _calculations(telling))
    patches.wrap(module.LocalTrade, "close", _ends(telling))
    patches.wrap(module.Trade, "delete", _deletions(telling))


def _updates(telling: Telling) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def make(update: Callable[..., None]) -> Callable[..., None]:
        @wraps(update)
        def updated(self: Any, order: Any) -> None:  # noqa: ANN401 - freqtrade's
            before = self.filled, self.average, self.status, self.ft_is_open
            update(self, order)
            telling.guard(tell, self, order, before)

        def tell(record: Any, order: Mapping[str, Any], before: tuple[Any, ...]) -> None:  # noqa: ANN401
            def restored() -> Mapping[str, Any] | None:
                filled, average, status, was_open = before
                if status is None or not was_open:
                    return None  # new, or over long ago
                return {
                    "venue": _venue(record) or telling.venue,
                    "symbol": record.ft_pair,
                    "side": record.side or record.ft_order_side,
                    "type": record.order_type,
                    "quantity": record.amount or record.ft_amount,
                    "price": average or record.price or record.ft_price,
                    "cumulative_quantity": filled,
                }

            telling.updated(
                record.order_id,
                status=record.status,
                filled=record.filled,
                price=record.average or record.price,
                fee=order.get("fee"),
                reason=record.ft_cancel_reason,
                restored=restored,
            )

        return updated

    return make


def _calculations(telling: Telling) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def make(calculate: Callable[..., None]) -> Callable[..., None]:
        @wraps(calculate)
        def calculated(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            amount, realized = self.amount, self.realized_profit
            calculate(self, *args, **kwargs)
            telling.guard(telling.trade_changed, self, amount, realized)

        return calculated

    return make


def _ends(telling: Telling) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def make(close: Callable[..., None]) -> Callable[..., None]:
        @wraps(close)
        def closed(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            close(self, *args, **kwargs)
            telling.guard(telling.trade_closed, self)

        return closed

    return make


def _deletions(telling: Telling) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def make(delete: Callable[..., None]) -> Callable[..., None]:
        @wraps(delete)
        def deleted(self: Any) -> None:  # noqa: ANN401
            if self.is_open:
                telling.guard(telling.trade_gone, self)
            delete(self)

        return deleted

    return make


def _venue(record: Any) -> str | None:  # noqa: ANN401
    trade = record.trade
    return None if trade is None else trade.exchange
