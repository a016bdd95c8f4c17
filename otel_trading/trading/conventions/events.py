"""The names of trading events: of log records, of span events, and of the facade's methods."""

from __future__ import annotations

_DECLARED = {
    "order_submitted": ("order.submitted", "An order was handed to a venue."),
    "order_acknowledged": ("order.acknowledged", "The venue has the order."),
    "order_filled": ("order.filled", "Part of an order, or all of it, was executed."),
    "order_cancel_requested": ("order.cancel_requested", "A cancellation was asked for."),
    "order_canceled": ("order.canceled", "The order was cancelled."),
    "order_rejected": ("order.rejected", "The venue refused the order, or its cancellation."),
    "order_expired": ("order.expired", "The order's time ran out."),
    "order_replaced": ("order.replaced", "The order was changed."),
    "order_restored": ("order.restored", "An order was found at a venue that the bot did not know of."),
    "order_unanswered": ("order.unanswered", "Nobody knows whether the venue has the order."),
    "order_cancel_rejected": ("order.cancel_rejected", "The venue refused to cancel the order."),
    "order_abandoned": ("order.abandoned", "An order is open for longer than orders are remembered."),
    "order_anomaly_reported": ("order.anomaly_reported", "A report does not fit what is known of its order."),
    "trade_planned": ("trade.planned", "The legs of a trade were decided on."),
    "trade_started": ("trade.started", "The first order of a trade goes out."),
    "trade_completed": ("trade.completed", "A trade of one leg or several ended."),
    "opportunity_detected": ("opportunity.detected", "An opportunity was found."),
    "position_changed": ("position.changed", "A position has a new size or price."),
    "position_drifted": ("position.drifted", "A venue holds another position than the bot knew."),
    "pnl_changed": ("pnl.changed", "Profit or loss changed."),
    "balance_changed": ("venue.balance_changed", "An account's balance changed."),
    "book_updated": ("market_data.book_updated", "A book changed."),
    "book_normalized": ("market_data.book_normalized", "A book was brought into the bot's own form."),
    "latency_updated": ("market_data.latency_updated", "How long market data takes."),
    "feed_message": ("market_data.message", "A frame of market data came in."),
    "feed_gap": ("market_data.gap", "Frames of market data are missing."),
    "feed_stale": ("market_data.stale", "Nothing has come for too long."),
    "feed_resumed": ("market_data.resumed", "Market data comes again after it was stale."),
    "market_data_error": ("market_data.error", "A frame of market data cannot be used."),
    "connection_changed": ("venue.connection_changed", "A connection to a venue has a new state."),
    "session_changed": ("venue.session_changed", "A venue opened, closed or halted an instrument."),
    "request_completed": ("venue.request_completed", "A venue answered a request, or did not."),
    "settlement_completed": ("execution.settled", "An execution was settled, or was not."),
    "limit_checked": ("risk.limit_checked", "A risk limit was checked."),
    "breaker_changed": ("circuit_breaker.changed", "A circuit breaker has a new state."),
    "halted": ("halted", "The bot stopped trading."),
    "resumed": ("resumed", "The bot trades again."),
    "strategy_failed": ("strategy.failed", "An error ended a strategy's work."),
    "risk_measured": ("risk.measured", "A measure of risk was computed."),
    "rate_limited": ("venue.rate_limited", "A venue's rate limit refused a request, or made it wait."),
    "chain_transaction": ("chain.transaction", "A block chain's transaction ended."),
    "cache_lookup": ("cache.lookup", "Something was looked up in a cache."),
}

EVENTS: dict[str, str] = {f"trading.{name}": text for name, text in _DECLARED.values()}
"""What events mean, by name."""

NAMES: dict[str, str] = {method: f"trading.{name}" for method, (name, _) in _DECLARED.items()}
"""The events' names by the facade's method, which is the event's short name in log lines."""
