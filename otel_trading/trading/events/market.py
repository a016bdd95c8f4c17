"""What happens to market data, and on the way to venues."""

from __future__ import annotations

from otel_trading.trading.events.model import Event, Level, Measure

_ADAPTER = "{venue}_adapter"

BOOK_UPDATED = Event(
    "trading.market_data.book_updated",
    "book updated",
    ("venue", "symbol", "market_id", "bid", "ask", "bid_quantity", "ask_quantity", "levels", "spread_bps"),
    (
        Measure("trading.market_data.book.updates"),
        Measure("trading.market_data.book.spread.bps", "spread_bps"),
    ),
    Level.DEBUG,
    component=_ADAPTER,
    span="",
    logged=False,
)

NORMALIZED = Event(
    "trading.market_data.book_normalized",
    "book normalized",
    ("venue", "symbol", "market_id", "instrument_outcome", "levels"),
    level=Level.DEBUG,
    component="normalizer",
    span="",
)

GAP = Event(
    "trading.market_data.gap",
    "frames are missing",
    ("venue", "symbol", "data_type", "subscription", "expected_sequence", "sequence", "missing"),
    (Measure("trading.market_data.gaps"),),
    Level.WARNING,
    component=_ADAPTER,
    row="feed",
    tags=("market_data",),
)

STALE = Event(
    "trading.market_data.stale",
    "no market data",
    ("venue", "symbol", "data_type", "subscription", "staleness_seconds"),
    (Measure("trading.market_data.stalls"),),
    level=Level.WARNING,
    component=_ADAPTER,
    row="feed",
    alert="stale_data",
    tags=("market_data",),
)

RESUMED = Event(
    "trading.market_data.resumed",
    "market data comes again",
    ("venue", "symbol", "data_type", "subscription", "staleness_seconds"),
    component=_ADAPTER,
    row="feed",
    tags=("market_data",),
)

LATENCY = Event(
    "trading.market_data.latency_updated",
    "latency of market data",
    ("venue", "p50_ms", "p95_ms"),
    component=_ADAPTER,
    span="",
    alert="high_latency",
    tags=("market_data",),
)

ERROR = Event(
    "trading.market_data.error",
    "market data cannot be used",
    ("venue", "symbol", "subscription", "error_type", "text"),
    (Measure("trading.market_data.errors"),),
    Level.ERROR,
    component=_ADAPTER,
    row="feed",
    alert="data_corruption",
    tags=("market_data",),
)

CONNECTION = Event(
    "trading.venue.connection_changed",
    "connection changed",
    ("venue", "connection", "connection_state", "reason", "error_type", "attempt", "duration_seconds"),
    component=_ADAPTER,
    row="connections",
    alert="exchange_disconnect",
    tags=("connection",),
    amounts=("wanted",),
)

REQUEST = Event(
    "trading.venue.request_completed",
    "request completed",
    ("venue", "operation", "duration_seconds", "error_type", "weight", "text"),
    (Measure("trading.venue.request.duration", "duration_seconds"),),
    Level.DEBUG,
    component=_ADAPTER,
    tags=("request",),
)

RATE_LIMITED = Event(
    "trading.venue.rate_limited",
    "the venue asks for patience",
    ("venue", "operation", "rate_limit", "rate_limit_used", "rate_limit_value", "wait_seconds"),
    (
        Measure("trading.venue.rate_limit.refusals"),
        Measure("trading.venue.rate_limit.wait.duration", "wait_seconds"),
        Measure("trading.venue.rate_limit.usage", "rate_limit_used"),
        Measure("trading.venue.rate_limit.limit", "rate_limit_value"),
    ),
    Level.WARNING,
    component=_ADAPTER,
    tags=("request",),
)

SESSION = Event(
    "trading.venue.session_changed",
    "session of the venue changed",
    ("venue", "symbol", "session_status", "reason"),
    component=_ADAPTER,
    row="connections",
    alert="market_changes",
    tags=("connection",),
)

CACHE = Event(
    "trading.cache.lookup",
    "cache looked up",
    ("cache", "hit"),
    (Measure("trading.cache.lookups"),),
    Level.DEBUG,
    span="",
    logged=False,
)

MARKET = (
    *(BOOK_UPDATED, NORMALIZED, GAP, STALE, RESUMED, LATENCY, ERROR, CONNECTION, REQUEST, RATE_LIMITED, SESSION, CACHE),
)
