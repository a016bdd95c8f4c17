"""The table of aliases: names that requirements, dashboards and alert rules already use, by document.

``ALIASES`` is all of it; ``NOT_ALIASED`` says of every other name in the documents why it has no alias.
"""

from __future__ import annotations

from otel_trading.trading.aliases import Alias

_VENUE = ("venue", "trading.venue.name")
_SYMBOL = ("symbol", "trading.instrument.symbol")
_SIDE = ("side", "trading.order.side")
_STRATEGY = ("strategy", "trading.strategy.name")

_TRADE = ("trading.execution.type", ("trade",))
_SUCCESS = ("trading.trade.outcome", ("success",))
_FAILURE = ("trading.trade.outcome", ("failed", "timeout", "partial"))
_FETCH = ("trading.operation.name", ("fetch_prices",))

_PER_MIB = 1 / 1_048_576

MICROSECONDS = (10, 50, 100, 250, 500, 1_000, 5_000, 10_000, 50_000)
"""The ten buckets of order latency."""

_MILLISECONDS = (0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000)
_CENTS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Where a document declares no bounds: those its library takes by default."""

LOW_LATENCY_ENGINE = (
    Alias(
        *("messages_received", "trading.venue.messages", "gauge", "Messages received."),
        where=(("network.io.direction", ("receive",)),),
    ),
    Alias(
        *("messages_sent", "trading.venue.messages", "gauge", "Messages sent."),
        where=(("network.io.direction", ("transmit",)),),
    ),
    Alias("orders_placed", "trading.order.submissions", "gauge", "Orders placed."),
    Alias(
        *("orders_filled", "trading.execution.reports", "gauge", "Orders filled completely."),
        where=(_TRADE, ("trading.order.status", ("filled",))),
    ),
    Alias(
        *("latency_histogram", "trading.order.ack.duration", "histogram", "Order latency in microseconds."),
        scale=1e6,
        bounds=MICROSECONDS,
    ),
)
"""Document 000: its counters have no exported names, these are their fields'."""

ARBITRAGE_TERMINAL = (
    Alias(
        *("trades_total", "trading.trade.completions", "counter", "Total completed trades."),
        labels=(_VENUE, ("outcome", "trading.trade.outcome")),
    ),
    Alias(
        *("pnl_cents_total", "trading.pnl.realized", "gauge", "Total P&L in cents."),
        labels=(_VENUE,),
        scale=100,
    ),
    Alias(
        *("edge_captured_cents", "trading.trade.edge", "histogram", "Edge captured per trade in cents."),
        scale=100,
        bounds=_CENTS,
    ),
    Alias(
        *("feed_latency_seconds", "trading.market_data.latency", "histogram", "Feed latency."),
        labels=(_VENUE,),
        bounds=_SECONDS,
    ),
    Alias(
        *("order_response_seconds", "trading.order.ack.duration", "histogram", "Order response time."),
        labels=(_VENUE,),
        bounds=_SECONDS,
    ),
    Alias("active_positions", "trading.position.active", "gauge", "Number of active positions."),
    Alias("daily_pnl", "trading.pnl.session", "gauge", "Net P&L for the current trading day."),
    Alias("daily_loss", "trading.pnl.session", "gauge", "Net loss of the day, below zero when it won.", scale=-1),
    Alias(
        *("total_trades", "trading.trade.completions", "gauge", "Number of completed arbitrage pairs."),
        where=(_SUCCESS,),
    ),
    Alias(
        *("average_edge_captured", "trading.trade.edge", "gauge", "Average edge per trade in cents."),
        scale=100,
        statistic="mean",
    ),
    Alias(
        *("average_holding_time", "trading.position.holding.duration", "gauge", "Average holding time in seconds."),
        statistic="mean",
    ),
    Alias(
        *("position_utilization", "trading.risk.utilization.ratio", "gauge", "Greatest share of a risk limit in use."),
        statistic="max",
    ),
    Alias("position_exposure", "trading.position.notional", "gauge", "Notional value of all positions."),
    Alias(
        *("feed_latency_p50", "trading.market_data.latency", "gauge", "Median feed latency in milliseconds."),
        scale=1_000,
        statistic="quantile",
        quantiles=(("", 0.5),),
    ),
    Alias(
        *("feed_latency_p95", "trading.market_data.latency", "gauge", "95th percentile feed latency in milliseconds."),
        scale=1_000,
        statistic="quantile",
        quantiles=(("", 0.95),),
    ),
    Alias(
        *("fill_rate", "trading.execution.reports", "gauge", "Share of the last hour's orders that were filled."),
        where=(_TRADE, ("trading.order.status", ("filled",))),
        statistic="ratio",
        whole="trading.order.submissions",
        window=3_600,
    ),
    Alias(
        *("order_response_time", "trading.order.ack.duration", "gauge", "Average order response in seconds."),
        labels=(_VENUE,),
        statistic="mean",
    ),
    Alias(
        *("book_update_frequency", "trading.market_data.messages", "gauge", "Book updates a second, of a minute."),
        labels=(_VENUE,),
        where=(("trading.market_data.type", ("book_snapshot", "book_update", "ticker")),),
        statistic="rate",
        window=60,
    ),
    Alias(
        *("service_status", "trading.health.state", "gauge", "0 healthy, 1 degraded, 2 down."),
        labels=(("service", "trading.health.component"),),
        statistic="max",
        coded="trading.health.state",
        codes=(("healthy", 0), ("degraded", 1), ("down", 2)),
    ),
    Alias(
        *("max_daily_loss", "trading.risk.limit", "gauge", "The limit of the day's loss."),
        where=(("trading.risk.limit.name", ("daily_loss",)),),
        statistic="max",
    ),
    Alias(
        *("max_limit", "trading.risk.limit", "gauge", "The limit of the position's notional value."),
        where=(("trading.risk.limit.name", ("position_exposure",)),),
        statistic="max",
    ),
    Alias("websocket_reconnections", "trading.venue.reconnects", "gauge", "Number of reconnections."),
    Alias(
        *("time_since_last_update", "trading.market_data.age", "gauge", "Age of the oldest market data in seconds."),
        statistic="max",
    ),
    Alias(
        *("schema_validation_errors", "trading.market_data.errors", "gauge", "Messages that break their schema."),
        where=(("error.type", ("schema_validation",)),),
    ),
    Alias(
        *("spec_validation_changed", "trading.market_data.errors", "gauge", "Changes of a venue's specification."),
        where=(("error.type", ("spec_validation_changed",)),),
    ),
    Alias("memory_rss_mb", "process.memory.usage", "gauge", "Resident memory in MiB.", scale=_PER_MIB),
    Alias("memory_vms_mb", "process.memory.virtual", "gauge", "Virtual memory in MiB.", scale=_PER_MIB),
    Alias("cpu_percent", "process.cpu.utilization", "gauge", "CPU use of the process in percent.", scale=100),
    Alias("num_threads", "process.thread.count", "gauge", "Threads of the process."),
    Alias("num_fds", "process.open_file_descriptor.count", "gauge", "Open file descriptors of the process."),
    Alias("num_connections", "process.socket.count", "gauge", "Open sockets of the process."),
    Alias("open_files", "process.open_file.count", "gauge", "Open files of the process."),
    Alias(
        *("cpu_usage_percent", "system.cpu.utilization", "gauge", "CPU use of the machine in percent."),
        where=(("cpu.mode", ("user", "system", "nice", "steal", "interrupt")),),
        scale=100,
    ),
    Alias(
        *("memory_usage_mb", "system.memory.usage", "gauge", "Memory in use on the machine in MiB."),
        where=(("system.memory.state", ("used",)),),
        scale=_PER_MIB,
    ),
    Alias("load_average", "system.cpu.load_average.1m", "gauge", "Average load of the last minute."),
    Alias(
        *("disk_usage_percent", "system.filesystem.utilization", "gauge", "Use of the fullest disk in percent."),
        scale=100,
        statistic="max",
    ),
    Alias("network_connections", "system.network.connection.count", "gauge", "Network connections."),
)
"""Document 001."""

MARKET_MAKER = (
    Alias(
        *("market_maker_pnl_realized_total", "trading.pnl.realized", "gauge", "Cumulative realized profit or loss."),
        labels=(_SYMBOL, _STRATEGY),
    ),
    Alias(
        *("market_maker_pnl_unrealized", "trading.pnl.unrealized", "gauge", "Unrealized P&L at the mark price."),
        labels=(_SYMBOL, _STRATEGY),
    ),
    Alias(
        *("market_maker_orders_active", "trading.order.active", "gauge", "Number of currently open orders."),
        labels=(_SYMBOL, _SIDE),
    ),
    Alias(
        *("market_maker_orders_placed_total", "trading.order.submissions", "counter", "Total orders placed."),
        labels=(_SYMBOL, _SIDE, ("type", "trading.order.type")),
    ),
    Alias(
        *("market_maker_orders_filled_total", "trading.execution.reports", "counter", "Total fills."),
        labels=(_SYMBOL, _SIDE),
        where=(_TRADE,),
    ),
    Alias(
        *("market_maker_volume_total", "trading.execution.quantity", "counter", "Traded volume in the base asset."),
        labels=(_SYMBOL,),
    ),
    Alias(
        *("market_maker_position_size", "trading.position.quantity", "gauge", "Current position, negative if short."),
        labels=(_SYMBOL,),
    ),
    Alias(
        *("market_maker_latency_exchange_ms", "trading.venue.request.duration", "histogram", "Venue API calls."),
        labels=(("exchange", "trading.venue.name"), ("operation", "trading.operation.name")),
        scale=1_000,
        bounds=_MILLISECONDS,
    ),
    Alias(
        *("market_maker_latency_tick_to_trade_ms", "trading.tick_to_trade.duration", "histogram", "Price to order."),
        labels=(_SYMBOL,),
        scale=1_000,
        bounds=_MILLISECONDS,
    ),
)
"""Document 002."""

ARBITRAGE_ENGINE = (
    Alias("arb_opportunities_detected_total", "trading.opportunity.detections", "counter", "Opportunities detected."),
    Alias("arb_trades_attempted_total", "trading.trade.attempts", "counter", "Trades attempted."),
    Alias(
        *("arb_trades_successful_total", "trading.trade.completions", "counter", "Successful trades."),
        where=(_SUCCESS,),
    ),
    Alias("arb_trades_failed_total", "trading.trade.completions", "counter", "Failed trades.", where=(_FAILURE,)),
    Alias(
        *("arb_current_balance_usd", "trading.venue.balance", "gauge", "Current balance in dollars."),
        where=(("trading.currency", ("USD", "USDC", "USDT")),),
    ),
    Alias("arb_active_positions", "trading.position.active", "gauge", "Currently active positions."),
    Alias(
        *("arb_circuit_breaker_state", "trading.circuit_breaker.state", "gauge", "0 closed, 1 half-open, 2 open."),
        statistic="max",
        coded="trading.circuit_breaker.state",
        codes=(("closed", 0), ("half_open", 1), ("open", 2)),
    ),
    Alias(
        *("arb_opportunity_profit_bps", "trading.opportunity.edge.bps", "histogram", "Profit of opportunities."),
        bounds=(10, 25, 50, 100, 250, 500, 1_000),
    ),
    Alias(
        *("arb_trade_execution_seconds", "trading.trade.duration", "histogram", "Trade execution time in seconds."),
        bounds=(0.1, 0.5, 1, 2, 5, 10, 30),
    ),
    Alias(
        *("arb_price_fetch_seconds", "trading.venue.request.duration", "histogram", "Price fetching latency."),
        where=(_FETCH,),
        bounds=(0.01, 0.05, 0.1, 0.2, 0.5, 1, 2),
    ),
    Alias(
        *("arb_slippage_bps", "trading.execution.slippage.bps", "histogram", "Slippage in basis points."),
        bounds=(5, 10, 25, 50, 100, 250, 500),
    ),
    Alias("arb_actual_profit_total", "trading.pnl.realized", "gauge", "Realized profit."),
    Alias(
        *("avg_fetch_latency", "trading.venue.request.duration", "gauge", "Average price fetch in seconds."),
        where=(_FETCH,),
        statistic="mean",
    ),
    Alias(
        *("p99_fetch_latency", "trading.venue.request.duration", "gauge", "99th percentile price fetch in seconds."),
        where=(_FETCH,),
        statistic="quantile",
        quantiles=(("", 0.99),),
    ),
    Alias(
        *("prices_per_second", "trading.market_data.messages", "gauge", "Prices received a second, of a minute."),
        statistic="rate",
        window=60,
    ),
    Alias(
        *("cache_hit_rate", "trading.cache.lookups", "gauge", "Share of a minute's lookups that were hits."),
        where=(("trading.cache.hit", (True,)),),
        statistic="ratio",
        whole="trading.cache.lookups",
        window=60,
    ),
    Alias("gas_used", "trading.chain.gas", "gauge", "Gas that transactions used."),
    Alias("priority_fee", "trading.chain.priority_fee", "gauge", "What was paid to come first."),
)
"""Document 003; its dashboard asks for ``arb_actual_profit_total``, which it declares nowhere."""

_EVENTS = (
    *(
        (event, "trading.stage.duration", (("trading.stage.name", (event,)),))
        for event in (
            *("candle_processing", "signal_generation", "order_execution", "order_fill"),
            *("event_bus_publish", "event_bus_handle"),
        )
    ),
    ("gc_pause", "trading.runtime.gc.duration", ()),
)

STAGES = (
    *(
        Alias(
            *(f"{event}_latency_ns", instrument, "gauge", "Latency in nanoseconds by percentile."),
            where=where,
            scale=1e9,
            statistic="quantile",
            quantiles=(("50", 0.5), ("95", 0.95), ("99", 0.99), ("999", 0.999)),
        )
        for event, instrument, where in _EVENTS
    ),
    *(
        Alias(f"{event}_count", instrument, "gauge", "Measurements.", where=where, statistic="count")
        for event, instrument, where in _EVENTS
    ),
    Alias(
        *("event_bus_queue_depth", "trading.queue.depth", "gauge", "Events waiting on the event bus."),
        where=(("queue.name", ("event_bus",)),),
    ),
    Alias(
        *("queue_backlog", "trading.queue.depth", "gauge", "Events waiting on the event bus."),
        where=(("queue.name", ("event_bus",)),),
    ),
    Alias("sampling_rate", "trading.telemetry.sampling.ratio", "gauge", "Share of events that is measured."),
)
"""Document 004: names made of the event's name; percentiles are labelled as its alert rules ask for them."""

ALIASES: tuple[Alias, ...] = (*LOW_LATENCY_ENGINE, *ARBITRAGE_TERMINAL, *MARKET_MAKER, *ARBITRAGE_ENGINE, *STAGES)
"""Every alias of every document."""

_SETTING = "an option, not a measurement"
_RECORD = "a field of a log record or of a recorded trade, not a metric"
_FIELD = "a key of the statistics in the process, not a metric"

NOT_ALIASED: dict[str, str] = {
    "LATENCY_HISTOGRAM": "a variable: the document gives the metric no name; it is trading.stage.duration",
    "execution_time_ms": _RECORD,
    "edge_cents": _RECORD,
    "fees_cents": _RECORD,
    "latency_ms": _RECORD,
    "milestone_threshold": _SETTING,
    "net_profit_cents": _RECORD,
    "new_arbitrage_edge": "an event that raises an alert; trading.opportunity.detections counts them",
    "p50_ms": _RECORD,
    "p95_ms": _RECORD,
    "p50_ns": _FIELD,
    "p95_ns": _FIELD,
    "p99_ns": _FIELD,
    "p999_ns": _FIELD,
    "realized_edge_cents": _RECORD,
    "slippage_cents": _RECORD,
    "staleness_seconds": _RECORD,
}
"""Names without an alias, and why."""
