"""An execution reported by hand, on OpenTelemetry's API: what ``order_filled`` does at least."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.bench.contenders.base import ATTRIBUTES

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable


def execution(meter: Any, span: Any, logger: logging.Logger) -> Callable[[], None]:  # noqa: ANN401 - any contender's
    """A function that counts an execution, adds its amounts up, notes it on the order's span and logs it."""
    reports = meter.create_counter("trading.execution.reports")
    quantity = meter.create_counter("trading.execution.quantity")
    notional = meter.create_counter("trading.execution.notional")
    commission = meter.create_up_down_counter("trading.execution.commission")
    reported = {
        **ATTRIBUTES,
        "trading.order.side": "buy",
        "trading.execution.type": "trade",
        "trading.order.status": "partially_filled",
        "trading.execution.liquidity": "added",
    }
    money = {**ATTRIBUTES, "trading.currency": "USDT"}

    def filled() -> None:
        fields = {
            **reported,
            "trading.order.client_id": "c-0",
            "trading.execution.id": "t-1",
            "trading.execution.quantity": 0.01,
            "trading.execution.price": 27_000.5,
            "trading.execution.commission": 0.01,
        }
        reports.add(1, reported)
        quantity.add(0.01, ATTRIBUTES)
        notional.add(270.005, money)
        commission.add(0.01, money)
        span.add_event("trading.order.filled", fields)
        logger.warning("order filled", extra=fields)

    return filled
