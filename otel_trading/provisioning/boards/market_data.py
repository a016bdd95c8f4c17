"""What comes from venues, how old it is, and how venues answer."""

from __future__ import annotations

from otel_trading.provisioning.boards import now, shared, terms, venue_requests
from otel_trading.provisioning.boards.asked import (
    heat,
    highest,
    legend,
    per_minute,
    percentiles,
    query,
    rate,
    total,
)
from otel_trading.provisioning.boards.terms import ANY_IS_BAD, NEVER_BELOW_ZERO, SYMBOL, VENUE
from otel_trading.provisioning.colours import BAD, GOOD, WARNING
from otel_trading.provisioning.dashboard import Dashboard
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import heatmap, stat, timeseries
from otel_trading.provisioning.variables import TRADING

_DATA, _ERROR = "trading.market_data.type", "error.type"
_CHAIN = "trading.chain.name"
_SILENT, _LOST = to_runbook("MarketDataStale"), to_runbook("VenueConnectionLost")
_LIMITED = to_runbook("RateLimitNear")
_CONNECTED = total("trading.venue.connection.state", trading_connection_state="connected")


_NOW = (
    now.frames_rate(),
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
        highest("trading.clock.offset"),
        slug="clock-offset-now",
        description="How far a venue's clock is at least ahead of ours.",
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
        thresholds=terms.RISING,
        defaults=terms.NOTHING,
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
        shared.seldom(
            *("Gaps", "gaps", "Times a minute that frames were missing."),
            query(per_minute, "trading.market_data.gaps", VENUE, _DATA),
            runbook="MarketDataGaps",
        ),
        shared.seldom(
            *("Stalls", "stalls", "Times a minute that a subscription went stale."),
            query(per_minute, "trading.market_data.stalls", VENUE),
            runbook="MarketDataStale",
        ),
        shared.seldom(
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
        shared.seldom(
            *("Clocks that were set", "clock-steps", "Times a minute that a venue's clock or ours was set."),
            query(per_minute, "trading.clock.steps", VENUE),
            runbook="ClockOffsetHigh",
        ),
        shared.seldom(
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
        shared.seldom(
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


_HITS = rate("trading.cache.lookups", "trading.cache.name", trading_cache_hit="true|True")
_CHAINS = Row(
    "Block chains and caches",
    (
        shared.seldom(
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
            Query(terms.share(_HITS, rate("trading.cache.lookups", "trading.cache.name")), "{{trading_cache_name}}"),
            description="Share of the lookups of each cache that found something.",
            unit="percentunit",
            width=6,
            defaults=terms.SHARE,
        ),
    ),
)

BOARD = Dashboard(
    "Market data and venues",
    uid="otel-trading-market-data",
    description="What comes from the venues, how old is it, are they there, and how do they answer?",
    tags=("otel-trading", "market-data"),
    variables=TRADING,
    panels=(*_NOW, _FEEDS, _CLOCKS, _CONNECTIONS, venue_requests.REQUESTS, _CHAINS),
)
