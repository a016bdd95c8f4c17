"""Orders, executions and trades."""

from __future__ import annotations

from otel_trading.provisioning.promql import quantile
from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import BOT, VENUE, happened, measured
from otel_trading.provisioning.rules.model import Case, Group, Recording, Rule

_BOARD = "otel-trading-orders"
_REJECTS = "trading_execution_reports_total"
_SUBMITTED = "trading_order_submissions_total"
_COMPLETED = "trading_trade_completions_total"
_STRATEGY = {**stories.BOT, "trading_strategy_name": "basis"}


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
        Rule(
            name="TradeFailureRateHigh",
            expr="trading:trade_failure:ratio_rate15m > 0.5",
            for_="2m",
            severity="warning",
            summary=(
                "{{ $value | humanizePercentage }} of the trades of {{ $labels.trading_strategy_name }} do not succeed."
            ),
            description=(
                "More than half of at least five trades of the last 15 minutes failed, timed out or stayed partial."
            ),
            dashboard=_BOARD,
            panel="trade-outcomes",
            cases=(
                Case(
                    series={
                        stories.series(_COMPLETED, _STRATEGY, trading_trade_outcome="success"): stories.steps(
                            (1, 20), (0, 80), (1, 120)
                        ),
                        stories.series(_COMPLETED, _STRATEGY, trading_trade_outcome="failed"): stories.steps(
                            (0, 20), (1, 80), (0, 120)
                        ),
                    },
                    labels=_STRATEGY,
                    value="100%",
                    quiet=("4m",),
                    fires="22m",
                    resolved="45m",
                ),
            ),
        ),
        Rule(
            name="LegLeftAlone",
            expr=(
                happened(
                    "trading.trade.completions",
                    "job, instance, trading_strategy_name",
                    matchers='trading_trade_outcome="partial"',
                )
                + " > 0"
            ),
            severity="warning",
            summary="A trade of {{ $labels.trading_strategy_name }} was filled on one side only.",
            description=(
                "One leg was filled and the other was not: until it is taken back there is a position nobody wanted."
            ),
            dashboard=_BOARD,
            panel="trade-outcomes",
            cases=(
                stories.first(_COMPLETED, {**_STRATEGY, "trading_trade_outcome": "partial"}, told=_STRATEGY),
                stories.again(_COMPLETED, {**_STRATEGY, "trading_trade_outcome": "partial"}, told=_STRATEGY),
            ),
        ),
        Rule(
            name="StrategyFailed",
            expr=f"{happened('trading.strategy.failures', 'job, instance, trading_strategy_name, error_type')} > 0",
            severity="critical",
            summary="{{ $labels.trading_strategy_name }} ended with {{ $labels.error_type }}.",
            description="An error ended the strategy's work: it does not trade, and does not look after its positions.",
            dashboard="otel-trading-risk",
            panel="strategy-failures",
            cases=(
                stories.first("trading_strategy_failures_total", {**_STRATEGY, "error_type": "KeyError"}),
                stories.again("trading_strategy_failures_total", {**_STRATEGY, "error_type": "KeyError"}),
            ),
        ),
        Rule(
            name="SettlementFailed",
            expr=(
                measured(
                    "trading.execution.settlement.duration",
                    VENUE,
                    matchers='trading_settlement_outcome=~"failed|timeout"',
                )
                + " > 0"
            ),
            severity="critical",
            summary="An execution at {{ $labels.trading_venue_name }} was not settled.",
            description=(
                "The venue reported a fill and it did not become a position: what the bot believes it holds is wrong."
            ),
            dashboard=_BOARD,
            panel="settlement-duration",
            cases=(
                stories.first(
                    "trading_execution_settlement_duration_seconds_count",
                    {**stories.VENUE, "trading_settlement_outcome": "timeout"},
                    told=stories.VENUE,
                ),
                Case(
                    series={
                        stories.series(
                            "trading_execution_settlement_duration_seconds",
                            stories.VENUE,
                            trading_settlement_outcome="failed",
                        ): "_x19 {{schema:0 count:1 sum:3 buckets:[0 0 1]}}x140"
                    },
                    labels=stories.VENUE,
                    quiet=("4m",),
                    fires="6m",
                    resolved="25m",
                    about="native histograms: it fires at the very first time",
                ),
            ),
        ),
        Rule(
            name="SlippageHigh",
            expr=f"({quantile(0.95, 'trading.execution.slippage.bps', by=VENUE.split(', '), window='15m')}) > 25",
            for_="1m",
            severity="warning",
            summary=(
                "Prices at {{ $labels.trading_venue_name }} are {{ $value | humanize }} bp worse than "
                "expected (95th percentile)."
            ),
            description=(
                "One execution in twenty of the last 15 minutes cost more than 25 bp against the expected price."
            ),
            dashboard=_BOARD,
            panel="slippage",
            cases=(
                Case(
                    series={
                        stories.series("trading_execution_slippage_bps_bucket", stories.VENUE, le="10"): stories.counts(
                            10, 0
                        ),
                        stories.series(
                            "trading_execution_slippage_bps_bucket", stories.VENUE, le="100"
                        ): stories.counts(10, 10),
                        stories.series(
                            "trading_execution_slippage_bps_bucket", stories.VENUE, le="+Inf"
                        ): stories.counts(10, 10),
                    },
                    labels=stories.VENUE,
                    value="90.47",
                    quiet=("4m",),
                    fires="9m",
                    resolved="35m",
                ),
            ),
        ),
        Rule(
            name="LargeExecution",
            expr=f"sum by ({VENUE}, trading_currency) (increase(trading_execution_notional_total[5m])) > 100000",
            severity="info",
            summary=(
                "{{ $value | humanize }} {{ $labels.trading_currency }} were traded at "
                "{{ $labels.trading_venue_name }} in five minutes."
            ),
            description="More than 100,000 of the quote currency within five minutes.",
            dashboard=_BOARD,
            panel="executed-notional",
            cases=(
                Case(
                    series={
                        stories.series(
                            "trading_execution_notional_total", stories.VENUE, trading_currency="USDT"
                        ): stories.counts(100, 12_000)
                    },
                    labels={**stories.VENUE, "trading_currency": "USDT"},
                    value="240k",
                    quiet=("4m",),
                    fires="9m45s",
                    resolved="25m",
                ),
            ),
        ),
        Rule(
            name="NewOpportunities",
            expr=(
                "("
                + quantile(
                    0.99,
                    "trading.opportunity.edge.bps",
                    by=["job", "instance", "trading_strategy_name"],
                    window="5m",
                )
                + ") > 50"
            ),
            severity="info",
            summary="{{ $labels.trading_strategy_name }} sees opportunities of {{ $value | humanize }} bp.",
            description="The best hundredth of the opportunities of the last five minutes is worth more than 50 bp.",
            dashboard=_BOARD,
            panel="opportunity-edge",
            cases=(
                Case(
                    series={
                        stories.series("trading_opportunity_edge_bps_bucket", _STRATEGY, le="25"): stories.counts(
                            10, 0
                        ),
                        stories.series("trading_opportunity_edge_bps_bucket", _STRATEGY, le="100"): stories.counts(
                            10, 10
                        ),
                        stories.series("trading_opportunity_edge_bps_bucket", _STRATEGY, le="+Inf"): stories.counts(
                            10, 10
                        ),
                    },
                    labels=_STRATEGY,
                    value="99.25",
                    quiet=("4m",),
                    fires="9m45s",
                    resolved="25m",
                ),
            ),
        ),
    ),
)
