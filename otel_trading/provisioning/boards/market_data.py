"""What comes from venues, how old it is, and how venues answer."""

from __future__ import annotations

from otel_trading.provisioning.boards import shared
from otel_trading.provisioning.boards.asked import (
    count,
    heat,
    highest,
    legend,
    per_minute,
    percentiles,
    query,
    rate,
    total,
)
from otel_trading.provisioning.boards.shared import ANY_IS_BAD, BARS, NEVER_BELOW_ZERO, SYMBOL, VENUE
from otel_trading.provisioning.colours import BAD, GOOD, WARNING
from otel_trading.provisioning.dashboard import Dashboard
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Panel, Query, Row, Threshold
from otel_trading.provisioning.panels import heatmap, stat, timeseries
from otel_trading.provisioning.variables import TRADING

_DATA, _OPERATION, _ERROR = "trading.market_data.type", "trading.operation.name", "error.type"
_RATE_LIMIT, _CHAIN = "trading.rate_limit.name", "trading.chain.name"
_SILENT, _LOST = to_runbook("MarketDataStale"), to_runbook("VenueConnectionLost")
_LIMITED = to_runbook("RateLimitNear")
_CONNECTED = total("trading.venue.connection.state", trading_connection_state="connected")


def _seldom(title: str, slug: str, description: str, *queries: Query, runbook: str = "", width: int = 8) -> Panel:
    links = [to_runbook(runbook)] if runbook else []
    return timeseries(
        title,
        *queries,
        slug=slug,
        description=description,
        unit="cpm",
        defaults=NEVER_BELOW_ZERO,
        custom=BARS,
        width=width,
        links=links,
    )


_NOW = (
    shared.frames_rate(),
    stat(
        "Oldest market data",
        highest("trading.market_data.age"),
        slug="oldest-data",
        description="Time since the last frame of the quietest subscription.",
        unit="s",
        thresholds=(Threshold(2, WARNING), Threshold(5, BAD)),
        links=[_SILENT],
    ),
    stat(
        "Stale subscriptions",
        total("trading.market_data.stale.count"),
        slug="stale-feeds",
        description="Subscriptions of which nothing has come for too long.",
        unit="{subscription}",
        thresholds=ANY_IS_BAD,
        links=[_SILENT],
    ),
    stat(
        "Connections",
        f"{_CONNECTED} / {total('trading.venue.connection.state')}",
        slug="venues-connected",
        description="Share of the connections to venues that stand.",
        unit="percentunit",
        base=BAD,
        thresholds=(Threshold(1, GOOD),),
        links=[_LOST],
    ),
    stat(
        "Highest clock offset",
        "max(abs(" + total("trading.clock.offset", VENUE, fold="max") + "))",
        slug="clock-offset-now",
        description="How far a venue's clock is at least from ours.",
        unit="s",
        thresholds=(Threshold(0.25, WARNING), Threshold(1, BAD)),
        links=[to_runbook("ClockOffsetHigh")],
    ),
    stat(
        "Rate limits",
        highest("trading.venue.rate_limit.utilization.ratio"),
        slug="rate-limits-now",
        description="Used share of the venues' rate limit of which most is used.",
        unit="percentunit",
        thresholds=shared.RISING,
        defaults=shared.NOTHING,
        links=[_LIMITED],
    ),
)

_FEEDS = Row(
    "Market data",
    (
        timeseries(
            "Frames by venue and type",
            query(rate, "trading.market_data.messages", VENUE, _DATA),
            slug="frames",
            description="Frames of market data, a second.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
            links=[_SILENT],
        ),
        shared.data_age(),
        shared.market_data_latency(),
        heatmap(
            "Market data latency, distribution",
            heat("trading.market_data.latency"),
            slug="market-data-heatmap",
            description="From the venue's event time to the frame's receipt.",
            unit="s",
        ),
        timeseries(
            "Changes of books",
            query(rate, "trading.market_data.book.updates", VENUE, SYMBOL),
            slug="book-updates",
            description="Changes of books, a second.",
            unit="cps",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Spread",
            *percentiles("trading.market_data.book.spread.bps", VENUE, SYMBOL, quantiles=(0.5, 0.95)),
            slug="book-spread",
            description="Best ask above best bid, in basis points.",
            unit="bp",
            defaults=NEVER_BELOW_ZERO,
        ),
        _seldom(
            *("Gaps", "gaps", "Times a minute that frames were missing."),
            query(per_minute, "trading.market_data.gaps", VENUE, _DATA),
            runbook="MarketDataGaps",
        ),
        _seldom(
            *("Stalls", "stalls", "Times a minute that a subscription went stale."),
            query(per_minute, "trading.market_data.stalls", VENUE),
            runbook="MarketDataStale",
        ),
        _seldom(
            *("Frames that cannot be used", "data-errors", "Frames a minute that cannot be used, and why."),
            query(per_minute, "trading.market_data.errors", VENUE, _ERROR),
            runbook="DataCorruption",
        ),
    ),
)

_CLOCKS = Row(
    "Clocks",
    (
        timeseries(
            "Clock offset",
            query(highest, "trading.clock.offset", VENUE),
            description="How far each venue's clock is at least ahead of ours.",
            unit="s",
            links=[to_runbook("ClockOffsetHigh")],
        ),
        _seldom(
            *("Clocks that were set", "clock-steps", "Times a minute that a venue's clock or ours was set."),
            query(per_minute, "trading.clock.steps", VENUE),
            runbook="ClockOffsetHigh",
        ),
        _seldom(
            *("Frames before their time", "negative-latency"),
            "Frames a minute that by the venue's clock came before they were sent.",
            query(per_minute, "trading.market_data.latency.negative", VENUE),
        ),
    ),
)

_CONNECTIONS = Row(
    "Connections",
    (
        shared.connections("connection-states", "Connections over time", width=16),
        _seldom(
            *("Connections lost", "reconnects", "Connections that were lost, a minute, and why."),
            query(per_minute, "trading.venue.reconnects", VENUE, _ERROR),
            runbook="VenueConnectionLost",
        ),
        timeseries(
            "How long connections last",
            *percentiles("trading.venue.connection.duration", VENUE, quantiles=(0.5, 0.95)),
            slug="connection-duration",
            description="From a connection's beginning to its end, of those that ended.",
            unit="s",
            width=6,
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Connecting",
            *percentiles("trading.venue.connect.duration", VENUE, quantiles=(0.5, 0.99)),
            slug="connect-duration",
            description="From dialling to the open connection, or the failure.",
            unit="s",
            width=6,
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Messages",
            query(rate, "trading.venue.messages", VENUE, "network.io.direction"),
            slug="venue-messages",
            description="Messages exchanged with venues, a second.",
            unit="cps",
            width=6,
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Bytes",
            query(rate, "trading.venue.io", VENUE, "network.io.direction"),
            slug="venue-io",
            description="Bytes exchanged with venues, a second.",
            unit="By/s",
            width=6,
            defaults=NEVER_BELOW_ZERO,
        ),
    ),
)

_FAILED = f"({count('trading.venue.request.duration', VENUE, error_type='!')})"
_REQUESTS = Row(
    "Requests",
    (
        timeseries(
            "Requests to venues",
            *percentiles("trading.venue.request.duration", VENUE, _OPERATION, quantiles=(0.5, 0.99)),
            slug="request-latency",
            description="From a request to the venue's answer, by what was asked. A diamond opens its trace.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("VenueRequestsSlow")],
        ),
        timeseries(
            "Calls of venues",
            *percentiles("trading.venue.call.duration", VENUE, _OPERATION, quantiles=(0.99,)),
            slug="call-latency",
            description="From a call of the venue's API to its result, with waits and retries, 99th percentile.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Prices fetched",
            *percentiles(
                "trading.venue.request.duration",
                VENUE,
                trading_operation_name="fetch_prices|fetch_ticker.*|fetch_order_book",
            ),
            slug="price-fetch",
            description="Requests for prices: median, 95th and 99th percentile.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Requests that failed",
            Query(shared.share(_FAILED, f"({count('trading.venue.request.duration', VENUE)})"), legend(VENUE)),
            slug="request-errors",
            description="Share of the requests to each venue that failed.",
            unit="percentunit",
            defaults=shared.SHARE,
            thresholds=(Threshold(0.05, BAD),),
            links=[to_runbook("VenueErrorRateHigh")],
        ),
        _seldom(
            *("Requests sent again", "request-retries", "Requests that were sent again, a minute, and why."),
            query(per_minute, "trading.venue.request.retries", VENUE, _OPERATION, _ERROR),
        ),
        timeseries(
            "HTTP requests",
            *percentiles("http.client.request.duration", "server.address", "http.request.method", quantiles=(0.99,)),
            slug="http-requests",
            description="All HTTP requests of the bot, to venues and others, 99th percentile.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Used share of rate limits",
            query(highest, "trading.venue.rate_limit.utilization.ratio", VENUE, _RATE_LIMIT),
            slug="rate-limit-utilization",
            description="How much of each of the venues' rate limits is used: at 100 % they refuse.",
            unit="percentunit",
            defaults=NEVER_BELOW_ZERO,
            thresholds=shared.RISING,
            links=[_LIMITED],
        ),
        _seldom(
            *("Refused as too many", "rate-limit-refusals", "Requests a minute that a venue refused as too many."),
            query(per_minute, "trading.venue.rate_limit.refusals", VENUE, _OPERATION),
            runbook="RateLimitNear",
        ),
        timeseries(
            "Waiting for rate limits",
            *percentiles("trading.venue.rate_limit.wait.duration", VENUE, quantiles=(0.5, 0.99)),
            slug="rate-limit-waits",
            description="Time requests waited for a rate limit.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            links=[_LIMITED],
        ),
    ),
)

_HITS = rate("trading.cache.lookups", "trading.cache.name", trading_cache_hit="true|True")
_CHAINS = Row(
    "Block chains and caches",
    (
        _seldom(
            *("Transactions", "chain-transactions", "Transactions of block chains that ended, a minute."),
            query(per_minute, "trading.chain.transactions", _CHAIN, "trading.chain.outcome"),
            width=6,
        ),
        timeseries(
            "Confirmation",
            *percentiles("trading.chain.transaction.duration", _CHAIN, quantiles=(0.5, 0.99)),
            slug="chain-duration",
            description="From sending a transaction to its end.",
            unit="s",
            width=6,
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "What transactions cost",
            Query(rate("trading.chain.gas", _CHAIN), f"gas {legend(_CHAIN)}"),
            Query(rate("trading.chain.compute_units", _CHAIN), f"compute units {legend(_CHAIN)}"),
            Query(
                rate("trading.chain.priority_fee", _CHAIN, "trading.currency"),
                f"priority fee {legend(_CHAIN, 'trading.currency')}",
                style="right",
            ),
            slug="chain-costs",
            description="Gas, compute units and priority fees, each a second.",
            width=6,
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Cache hits",
            Query(shared.share(_HITS, rate("trading.cache.lookups", "trading.cache.name")), "{{trading_cache_name}}"),
            description="Share of the lookups of each cache that found something.",
            unit="percentunit",
            width=6,
            defaults=shared.SHARE,
        ),
    ),
)

BOARD = Dashboard(
    "Market data and venues",
    uid="otel-trading-market-data",
    description="What comes from the venues, how old is it, are they there, and how do they answer?",
    tags=("otel-trading", "market-data"),
    variables=TRADING,
    panels=(*_NOW, _FEEDS, _CLOCKS, _CONNECTIONS, _REQUESTS, _CHAINS),
)
