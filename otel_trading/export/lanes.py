"""What of the metrics is lost first, when there is no more room: what the next minute tells anew."""

from __future__ import annotations

LOW_METRICS = (
    "cpython.",
    "dns.",
    "http.",
    "otel.",
    "process.",
    "system.",
    "trading.cache.",
    "trading.market_data.",
    "trading.operation.",
    "trading.queue.",
    "trading.runtime.",
    "trading.span.",
    "trading.stage.",
)
"""How the names of such metrics begin; all others are important: orders, executions, P&L, and the bot's own."""
