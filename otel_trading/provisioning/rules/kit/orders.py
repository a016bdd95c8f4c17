"""Orders, executions and trades."""

from __future__ import annotations

from otel_trading.provisioning.promql import quantile
from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import BOT, VENUE, happened
from otel_trading.provisioning.rules.kit.trades import TRADES
from otel_trading.provisioning.rules.model import Case, Group, Recording, Rule

_BOARD = "otel-trading-orders"
_REJECTS = "trading_execution_reports_total"
_SUBMITTED = "trading_order_submissions_total"
_COMPLETED = "trading_trade_completions_total"


def _reject_share(window: str, least: int) -> str:
    refused = f'sum by ({VENUE}) (increase({_REJECTS}{{trading_execution_type="rejected"}}[{window}]))'
    return f"{refused} / (sum by ({VENUE}) (increase({_SUBMITTED}[{window}])) >= {least})"


def _rejects(share: float, value: str) -> Case:
    refused = stories.series(_REJECTS, stories.VENUE, trading_execution_type="rejected")
    return Case(
        series={refused: stories.counts(0, share), stories.series(_SUBMITTED, stories.VENUE): stories.counts(1, 1)},
        labels=stories.VENUE,
        value=value,
        quiet=("4m",),
        fires="9m45s",
        resolved="25m",
    )


def _few(refused: float) -> Case:
    name = stories.series(_REJECTS, stories.VENUE, trading_execution_type="rejected")
    return Case(
        series={name: f"0x10 {refused:g}x60", stories.series(_SUBMITTED, stories.VENUE): "0x9 1 2x60"},
        quiet=("4m", "8m"),
        about="two orders are too few to judge by",
    )


_HOUR = 60
_FILLED = stories.series(
    _REJECTS, stories.VENUE, trading_execution_type="trade", trading_order_status="filled"
)  # fmt: skip

ORDERS = Group(
    name="orders",
    rules=(
        Recording(
            name="trading:order_fill:ratio_rate1h",
            expr=(
                f"(sum by ({VENUE}) "
                f'(increase({_REJECTS}{{trading_execution_type="trade", trading_order_status="filled"}}[1h])) '
                f"or 0 * sum by ({VENUE}) (increase({_SUBMITTED}[1h]))) "
                f"/ (sum by ({VENUE}) (increase({_SUBMITTED}[1h])) >= 10)"
            ),
        ),
        Recording(
            name="trading:trade_failure:ratio_rate15m",
            expr=(
                "sum by (job, instance, trading_strategy_name) "
                f'(increase({_COMPLETED}{{trading_trade_outcome!="success"}}[15m])) '
                f"/ (sum by (job, instance, trading_strategy_name) (increase({_COMPLETED}[15m])) >= 5)"
            ),
        ),
        Rule(
            name="OrderRejectRateHigh",
            expr=f"{_reject_share('5m', 5)} > 0.1",
            for_="1m",
            severity="warning",
            summary="{{ $labels.trading_venue_name }} refuses {{ $value | humanizePercentage }} of the orders.",
            description="More than a tenth of at least five orders of the last five minutes was refused.",
            dashboard=_BOARD,
            panel="reject-ratio",
            cases=(_rejects(0.5, "50%"), _few(2)),
        ),
        Rule(
            name="VenueRefusesOrders",
            expr=f"{_reject_share('5m', 5)} > 0.9",
            for_="2m",
            severity="critical",
            summary="{{ $labels.trading_venue_name }} refuses nearly every order.",
            description="More than nine tenths of at least five orders of the last five minutes were refused.",
            dashboard=_BOARD,
            panel="rejects-by-reason",
            cases=(
                Case(
                    series={
                        stories.series(_REJECTS, stories.VENUE, trading_execution_type="rejected"): (
                            stories.steps((0, 19), (1, 40), (0, 120))
                        ),
                        stories.series(_SUBMITTED, stories.VENUE): stories.counts(1, 1),
                    },
                    labels=stories.VENUE,
                    quiet=("4m", "9m"),
                    fires="14m",
                    resolved="25m",
                ),
                _few(2),
            ),
        ),
        Rule(
            name="LowFillRate",
            expr="trading:order_fill:ratio_rate1h < 0.7",
            for_="5m",
            severity="warning",
            summary=(
                "Only {{ $value | humanizePercentage }} of the orders at {{ $labels.trading_venue_name }} are filled."
            ),
            description="Of at least ten orders of the last hour fewer than 70 % were filled.",
            dashboard=_BOARD,
            panel="fill-ratio",
            cases=(
                Case(
                    series={
                        _FILLED: stories.steps((9, 2 * _HOUR), (5, 2 * _HOUR), (9, 2 * _HOUR)),
                        stories.series(_SUBMITTED, stories.VENUE): stories.steps((10, 6 * _HOUR)),
                    },
                    interval="1m",
                    labels=stories.VENUE,
                    value="50%",
                    quiet=("1h50m",),
                    fires="3h30m",
                    resolved="5h30m",
                ),
                Case(
                    series={stories.series(_SUBMITTED, stories.VENUE): stories.steps((1, 120))},
                    interval="1m",
                    labels=stories.VENUE,
                    value="0%",
                    fires="1h",
                    about="orders and not a single fill",
                ),
                Case(
                    series={_FILLED: "0x120", stories.series(_SUBMITTED, stories.VENUE): "0x30 4x90"},
                    interval="1m",
                    quiet=("1h",),
                    about="four orders in an hour are too few to judge by",
                ),
            ),
        ),
        Rule(
            name="OrderAckSlow",
            expr=f"({quantile(0.99, 'trading.order.ack.duration', by=VENUE.split(', '), window='5m')}) > 1",
            for_="2m",
            severity="warning",
            summary=(
                "{{ $labels.trading_venue_name }} answers orders after {{ $value | humanizeDuration }} (99th "
                "percentile)."
            ),
            description="One order in a hundred waits for more than a second for the venue's first answer.",
            dashboard="otel-trading-latency",
            panel="ack-latency",
            cases=stories.slow(
                "trading.order.ack.duration", stories.VENUE, low=0.5, high=5, values=("15.88s", "4.95s")
            ),
        ),
        Rule(
            name="OrderAnomaly",
            expr=f"{happened('trading.order.anomalies', f'{VENUE}, trading_order_anomaly')} > 0",
            severity="warning",
            summary=(
                "Reports of orders at {{ $labels.trading_venue_name }} do not fit: {{ $labels.trading_order_anomaly }}."
            ),
            description="What the venue reports of an order contradicts what the bot knows of it.",
            dashboard=_BOARD,
            panel="anomalies",
            cases=(
                stories.first("trading_order_anomalies_total", {**stories.VENUE, "trading_order_anomaly": "overfill"}),
                stories.again("trading_order_anomalies_total", {**stories.VENUE, "trading_order_anomaly": "overfill"}),
            ),
        ),
        Rule(
            name="OrdersOpenWhileHalted",
            expr=(
                f"sum by ({BOT}) (trading_order_open) > 0 "
                f'and on ({BOT}) max by ({BOT}) (trading_state{{trading_state_value="halted"}}) == 1'
            ),
            for_="1m",
            severity="critical",
            summary="{{ $labels.job }} is halted and has {{ $value }} open orders.",
            description="A halted bot should have no order that can still be filled.",
            dashboard=_BOARD,
            panel="orders-open",
            cases=(
                stories.gauge(
                    *("trading_order_open", stories.VENUE, 3, 3),
                    told=stories.BOT,
                    value="3",
                    beside={
                        stories.series("trading_state", stories.BOT, trading_state_value="halted"): stories.level(0, 1)
                    },
                ),
            ),
        ),
        *TRADES,
    ),
)
