"""The ways to venues: connections, requests, rate limits, chains."""

from __future__ import annotations

from otel_trading.provisioning.promql import quantile
from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import BOT, VENUE, happened, rate
from otel_trading.provisioning.rules.model import Case, Group, Rule

_BOARD = "otel-trading-market-data"
_STATE = "trading_venue_connection_state"
_REQUESTS = "trading_venue_request_duration_seconds"
_OPERATION = f"{VENUE}, trading_operation_name"
_CALL = {**stories.VENUE, "trading_operation_name": "orders"}
_LIMIT = {**stories.VENUE, "trading_rate_limit_name": "weight_1m"}
_CHAIN = {**stories.BOT, "trading_chain_name": "polygon"}


def _connection(name: str, state: str) -> str:
    return stories.series(_STATE, stories.VENUE, trading_connection_name=name, trading_connection_state=state)


VENUES = Group(
    name="venues",
    rules=(
        Rule(
            name="VenueDown",
            expr=(
                f'max by ({VENUE}) ({_STATE}{{trading_connection_state="connected"}}) == 0 '
                f"and max by ({VENUE}) ({_STATE}) == 1"
            ),
            for_="30s",
            severity="critical",
            summary="No connection to {{ $labels.trading_venue_name }} is there.",
            description="Every connection to the venue has been lost for 30 s.",
            dashboard=_BOARD,
            panel="connection-states",
            cases=(
                Case(
                    series={
                        _connection("public", "connected"): stories.level(1, 0),
                        _connection("public", "disconnected"): stories.level(0, 1),
                        _connection("private", "connected"): stories.level(1, 0),
                        _connection("private", "connecting"): stories.level(0, 1),
                    },
                    labels=stories.VENUE,
                    quiet=("4m",),
                    fires="9m",
                    resolved="11m",
                ),
                Case(
                    series={
                        _connection("public", "connected"): "1x40",
                        _connection("private", "connected"): "0x40",
                        _connection("private", "disconnected"): "1x40",
                    },
                    quiet=("5m",),
                    about="one connection of two is something else",
                ),
                Case(
                    series={_connection("public", "connected"): "0x40", _connection("public", "connecting"): "0x40"},
                    quiet=("5m",),
                    about="connections that the bot closed itself have no state",
                ),
            ),
        ),
        Rule(
            name="VenueConnectionLost",
            expr=(
                f"max by ({VENUE}, trading_connection_name) "
                f'({_STATE}{{trading_connection_state=~"disconnected|connecting"}}) == 1'
            ),
            for_="30s",
            severity="warning",
            summary="A connection to {{ $labels.trading_venue_name }} is lost: {{ $labels.trading_connection_name }}.",
            description="It has not come back for 30 s.",
            dashboard=_BOARD,
            panel="connection-states",
            cases=(
                stories.gauge(
                    _STATE,
                    {**stories.VENUE, "trading_connection_name": "public", "trading_connection_state": "connecting"},
                    *(0, 1),
                    told={**stories.VENUE, "trading_connection_name": "public"},
                ),
            ),
        ),
        Rule(
            name="VenueReconnects",
            expr=f"{happened('trading.venue.reconnects', VENUE)} > 5",
            severity="warning",
            summary="{{ $labels.trading_venue_name }} was lost {{ $value | humanize }} times in ten minutes.",
            description="Connections come back and do not last.",
            dashboard=_BOARD,
            panel="reconnects",
            cases=(
                Case(
                    series={stories.series("trading_venue_reconnects_total", stories.VENUE): "_x19 1+1x9 10x140"},
                    labels=stories.VENUE,
                    value="10",
                    quiet=("5m30s",),
                    fires="8m",
                    resolved="30m",
                ),
            ),
        ),
        Rule(
            name="VenueErrorRateHigh",
            expr=f"""{rate("trading.venue.request.duration", VENUE, matchers='error_type!=""')} > 1""",
            for_="1m",
            severity="critical",
            summary="{{ $value | humanize }} requests a second fail at {{ $labels.trading_venue_name }}.",
            description="More than one request a second has failed in the last five minutes.",
            dashboard=_BOARD,
            panel="request-errors",
            cases=(
                Case(
                    series={
                        stories.series(f"{_REQUESTS}_count", _CALL, error_type="timeout"): stories.counts(1, 60),
                        stories.series(f"{_REQUESTS}_count", _CALL): stories.counts(600, 600),
                    },
                    labels=stories.VENUE,
                    value="3.463",
                    quiet=("4m",),
                    fires="9m",
                    resolved="25m",
                ),
                Case(
                    series={
                        stories.series(_REQUESTS, _CALL, error_type="timeout"): (
                            "{{schema:0 count:0 sum:0 buckets:[0]}}+{{schema:0 count:60 sum:60 buckets:[60]}}x40"
                        )
                    },
                    labels=stories.VENUE,
                    value="4",
                    fires="9m",
                    about="native histograms",
                ),
            ),
        ),
        Rule(
            name="VenueRequestsSlow",
            expr=f"({quantile(0.99, 'trading.venue.request.duration', by=_OPERATION.split(', '), window='5m')}) > 2",
            for_="2m",
            severity="warning",
            summary=(
                "{{ $labels.trading_operation_name }} at {{ $labels.trading_venue_name }} takes "
                "{{ $value | humanizeDuration }} (99th percentile)."
            ),
            description="One request in a hundred takes more than two seconds.",
            dashboard=_BOARD,
            panel="request-latency",
            cases=stories.slow("trading.venue.request.duration", _CALL, low=1, high=5, values=("15.88s", "4.955s")),
        ),
        Rule(
            name="RateLimitNear",
            expr=f"max by ({VENUE}, trading_rate_limit_name) (trading_venue_rate_limit_utilization_ratio) > 0.8",
            for_="30s",
            severity="warning",
            summary=(
                "{{ $value | humanizePercentage }} of {{ $labels.trading_rate_limit_name }} at "
                "{{ $labels.trading_venue_name }} are used."
            ),
            description="Beyond a rate limit venues refuse requests, then ban the address.",
            dashboard=_BOARD,
            panel="rate-limit-utilization",
            cases=(stories.gauge("trading_venue_rate_limit_utilization_ratio", _LIMIT, 0.3, 0.95, value="95%"),),
        ),
        Rule(
            name="RateLimited",
            expr=f"{happened('trading.venue.rate_limit.refusals', VENUE)} > 0",
            severity="warning",
            summary="{{ $labels.trading_venue_name }} refused {{ $value | humanize }} requests as too many.",
            description="The venue's rate limit was passed within the last ten minutes.",
            dashboard=_BOARD,
            panel="rate-limit-refusals",
            cases=(
                stories.first("trading_venue_rate_limit_refusals_total", _CALL, told=stories.VENUE),
                stories.again("trading_venue_rate_limit_refusals_total", _CALL, told=stories.VENUE, value="1.026"),
            ),
        ),
        Rule(
            name="ChainTransactionsFail",
            expr=(
                f"sum by ({BOT}, trading_chain_name) "
                '(increase(trading_chain_transactions_total{trading_chain_outcome=~"failed|dropped"}[15m])) '
                f"/ (sum by ({BOT}, trading_chain_name) (increase(trading_chain_transactions_total[15m])) >= 5) > 0.2"
            ),
            for_="1m",
            severity="warning",
            summary=(
                "{{ $value | humanizePercentage }} of the transactions on {{ $labels.trading_chain_name }} "
                "fail or are dropped."
            ),
            description="More than a fifth of at least five transactions of the last 15 minutes; each costs gas.",
            dashboard=_BOARD,
            panel="chain-transactions",
            cases=(
                Case(
                    series={
                        stories.series(
                            "trading_chain_transactions_total", _CHAIN, trading_chain_outcome="confirmed"
                        ): stories.steps((1, 200)),
                        stories.series(
                            "trading_chain_transactions_total", _CHAIN, trading_chain_outcome="failed"
                        ): stories.steps((0, 20), (1, 60), (0, 120)),
                    },
                    labels=_CHAIN,
                    value="50%",
                    quiet=("4m",),
                    fires="20m",
                    resolved="40m",
                ),
            ),
        ),
    ),
)
