"""How venues answer, and their rate limits."""

from __future__ import annotations

from otel_trading.provisioning.boards import shared, terms
from otel_trading.provisioning.boards.asked import (
    count,
    highest,
    legend,
    per_minute,
    percentiles,
    query,
)
from otel_trading.provisioning.boards.terms import NEVER_BELOW_ZERO, VENUE
from otel_trading.provisioning.colours import BAD
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import timeseries

_OPERATION, _ERROR = "trading.operation.name", "error.type"
_RATE_LIMIT = "trading.rate_limit.name"
_LIMITED = to_runbook("RateLimitNear")
_FAILED = f"({count('trading.venue.request.duration', VENUE, error_type='!')})"


REQUESTS = Row(
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
            Query(terms.share(_FAILED, f"({count('trading.venue.request.duration', VENUE)})"), legend(VENUE)),
            slug="request-errors",
            description="Share of the requests to each venue that failed.",
            unit="percentunit",
            defaults=terms.SHARE,
            thresholds=(Threshold(0.05, BAD),),
            links=[to_runbook("VenueErrorRateHigh")],
        ),
        shared.seldom(
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
            thresholds=terms.RISING,
            links=[_LIMITED],
        ),
        shared.seldom(
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
