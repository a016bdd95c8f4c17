"""Trades, strategies, executions."""

from __future__ import annotations

from otel_trading.provisioning.promql import quantile
from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import VENUE, happened, measured
from otel_trading.provisioning.rules.model import Case, Rule

_BOARD = "otel-trading-orders"
_COMPLETED = "trading_trade_completions_total"
_STRATEGY = {**stories.BOT, "trading_strategy_name": "basis"}


TRADES: tuple[Rule, ...] = (
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
        description=("One execution in twenty of the last 15 minutes cost more than 25 bp against the expected price."),
        dashboard=_BOARD,
        panel="slippage",
        cases=(
            Case(
                series={
                    stories.series("trading_execution_slippage_bps_bucket", stories.VENUE, le="10"): stories.counts(
                        10, 0
                    ),
                    stories.series("trading_execution_slippage_bps_bucket", stories.VENUE, le="100"): stories.counts(
                        10, 10
                    ),
                    stories.series("trading_execution_slippage_bps_bucket", stories.VENUE, le="+Inf"): stories.counts(
                        10, 10
                    ),
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
                    stories.series("trading_opportunity_edge_bps_bucket", _STRATEGY, le="25"): stories.counts(10, 0),
                    stories.series("trading_opportunity_edge_bps_bucket", _STRATEGY, le="100"): stories.counts(10, 10),
                    stories.series("trading_opportunity_edge_bps_bucket", _STRATEGY, le="+Inf"): stories.counts(10, 10),
                },
                labels=_STRATEGY,
                value="99.25",
                quiet=("4m",),
                fires="9m45s",
                resolved="25m",
            ),
        ),
    ),
)
