"""How long the bot itself takes: stages, queues, the interpreter, the event loop."""

from __future__ import annotations

from otel_trading.provisioning.promql import quantile
from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import BOT, rate
from otel_trading.provisioning.rules.model import Case, Group, Rule

_BOARD = "otel-trading-latency"
_STAGE = f"{BOT}, trading_stage_name"
_VIOLATIONS = "trading_stage_budget_violations_total"
_RUN = BOT.split(", ")
_STRATEGY = {**stories.BOT, "trading_strategy_name": "basis"}


def _of_stage(q: float, stage: str) -> str:
    return quantile(q, "trading.stage.duration", matchers=f'trading_stage_name="{stage}"', by=_RUN, window="5m")


def _in_stage(stage: str) -> dict[str, str]:
    return {**stories.BOT, "trading_stage_name": stage}


LATENCY = Group(
    name="latency",
    rules=(
        Rule(
            name="CandleProcessingLatencyHigh",
            expr=f"({_of_stage(0.95, 'candle_processing')}) > 0.05",
            for_="1m",
            severity="warning",
            summary="{{ $labels.job }} processes candles in {{ $value | humanizeDuration }} (95th percentile).",
            description="One candle in twenty takes longer than 50 ms.",
            dashboard=_BOARD,
            panel="stage-latency",
            cases=stories.slow(
                *("trading.stage.duration", _in_stage("candle_processing")),
                told=stories.BOT,
                low=0.025,
                high=0.25,
                values=("15.39s", "237.4ms"),
            ),
        ),
        Rule(
            name="SignalGenerationLatencyHigh",
            expr=f"({_of_stage(0.95, 'signal_generation')}) > 0.01",
            for_="1m",
            severity="warning",
            summary="{{ $labels.job }} decides in {{ $value | humanizeDuration }} (95th percentile).",
            description="One decision in twenty takes longer than 10 ms.",
            dashboard=_BOARD,
            panel="stage-latency",
            cases=stories.slow(
                *("trading.stage.duration", _in_stage("signal_generation")),
                told=stories.BOT,
                low=0.005,
                high=0.25,
                values=("15.39s", "236.3ms"),
            ),
        ),
        Rule(
            name="OrderExecutionLatencyCritical",
            expr=(
                f"({_of_stage(0.99, 'order_execution')}) > 0.005 and on ({BOT}) "
                f'sum by ({BOT}) (increase({_VIOLATIONS}{{trading_stage_name="order_execution"}}[5m])) > 0'
            ),
            for_="30s",
            severity="critical",
            summary="{{ $labels.job }} hands over orders in {{ $value | humanizeDuration }} (99th percentile).",
            description=(
                "One order in a hundred takes longer than 5 ms, and longer than the budget that the bot has for it."
            ),
            dashboard=_BOARD,
            panel="stage-latency",
            cases=(
                *stories.slow(
                    *("trading.stage.duration", _in_stage("order_execution")),
                    told=stories.BOT,
                    low=0.0025,
                    high=0.25,
                    values=("15.88s", "247.2ms"),
                    beside={stories.series(_VIOLATIONS, _in_stage("order_execution")): stories.counts(0, 10)},
                ),
                Case(
                    series={
                        **stories.slow(
                            *("trading.stage.duration", _in_stage("order_execution")),
                            low=0.0025,
                            high=0.25,
                            values=("", ""),
                        )[1].series,
                        stories.series(_VIOLATIONS, _in_stage("order_execution")): "0x100",
                    },
                    quiet=("9m",),
                    about="slower than 5 ms and within the bot's own budget",
                ),
            ),
        ),
        Rule(
            name="StageBudgetMissed",
            expr=(
                f"sum by ({_STAGE}) (rate({_VIOLATIONS}[5m])) "
                f"/ ({rate('trading.stage.duration', _STAGE)} >= 0.1) > 0.01"
            ),
            for_="5m",
            severity="warning",
            summary=(
                "{{ $value | humanizePercentage }} of {{ $labels.trading_stage_name }} take longer than their budget."
            ),
            description="More than one measurement in a hundred of at least thirty in five minutes.",
            dashboard=_BOARD,
            panel="sla-compliance",
            cases=(
                Case(
                    series={
                        stories.series(_VIOLATIONS, _in_stage("decide")): stories.steps((0, 20), (5, 40), (0, 100)),
                        stories.series("trading_stage_duration_seconds_count", _in_stage("decide")): stories.steps(
                            (100, 160)
                        ),
                    },
                    labels=_in_stage("decide"),
                    value="5%",
                    quiet=("4m",),
                    fires="14m",
                    resolved="25m",
                ),
                Case(
                    series={
                        stories.series(_VIOLATIONS, _in_stage("decide")): "0x19 1x100",
                        stories.series("trading_stage_duration_seconds_count", _in_stage("decide")): "0+1x19 20x100",
                    },
                    quiet=("12m",),
                    about="one slow measurement among twenty is too little to judge by",
                ),
            ),
        ),
        Rule(
            name="QueueBacklogHigh",
            expr=f"max by ({BOT}, queue_name) (trading_queue_depth) > 100",
            for_="1m",
            severity="warning",
            summary="{{ $value }} items wait in the queue {{ $labels.queue_name }}.",
            description=(
                "The queue has had more than 100 items for a minute: what takes from it is slower than what fills it."
            ),
            dashboard=_BOARD,
            panel="queue-backlog",
            cases=(
                stories.gauge("trading_queue_depth", {**stories.BOT, "queue_name": "event_bus"}, 3, 250, value="250"),
            ),
        ),
        Rule(
            name="GcPausesLong",
            expr=f"({quantile(0.99, 'trading.runtime.gc.duration', by=_RUN, window='5m')}) > 0.05",
            for_="1m",
            severity="warning",
            summary=(
                "{{ $labels.job }} stands still for {{ $value | humanizeDuration }} in garbage collections "
                "(99th percentile)."
            ),
            description="One collection in a hundred stops the interpreter for more than 50 ms.",
            dashboard=_BOARD,
            panel="gc-pause-p99",
            cases=stories.slow(
                *("trading.runtime.gc.duration", {**stories.BOT, "cpython_gc_generation": "2"}),
                told=stories.BOT,
                low=0.025,
                high=0.25,
                values=("15.88s", "247.5ms"),
            ),
        ),
        Rule(
            name="EventLoopLagHigh",
            expr=f"({quantile(0.99, 'trading.runtime.event_loop.lag', by=_RUN, window='5m')}) > 0.1",
            for_="1m",
            severity="warning",
            summary="The event loop of {{ $labels.job }} is {{ $value | humanizeDuration }} late (99th percentile).",
            description="Something on the loop computes, or waits without await.",
            dashboard=_BOARD,
            panel="event-loop-lag",
            cases=stories.slow(
                *("trading.runtime.event_loop.lag", stories.BOT), low=0.05, high=0.5, values=("15.88s", "495ms")
            ),
        ),
        Rule(
            name="EventLoopStalled",
            expr=f"max by ({BOT}) (trading_runtime_event_loop_stalled) > 0",
            for_="15s",
            severity="critical",
            summary="An event loop of {{ $labels.job }} does not answer.",
            description="A call on the loop does not come back: nothing is read, sent or cancelled meanwhile.",
            dashboard=_BOARD,
            panel="event-loop-stalls",
            cases=(stories.gauge("trading_runtime_event_loop_stalled", stories.BOT, 0, 1),),
        ),
        Rule(
            name="TickToTradeSlow",
            expr=(
                "("
                + quantile(0.95, "trading.tick_to_trade.duration", by=[*_RUN, "trading_strategy_name"], window="5m")
                + ") > 0.1"
            ),
            for_="1m",
            severity="warning",
            summary=(
                "{{ $labels.trading_strategy_name }} needs {{ $value | humanizeDuration }} from tick to order "
                "(95th percentile)."
            ),
            description="The market has moved on when the order leaves: one in twenty takes longer than 100 ms.",
            dashboard=_BOARD,
            panel="tick-to-trade",
            cases=stories.slow(
                "trading.tick_to_trade.duration", _STRATEGY, low=0.05, high=0.5, values=("15.39s", "474.9ms")
            ),
        ),
        Rule(
            name="TradeSlow",
            expr=(
                "("
                + quantile(0.95, "trading.trade.duration", by=[*_RUN, "trading_strategy_name"], window="15m")
                + ") > 5"
            ),
            for_="1m",
            severity="warning",
            summary=(
                "Trades of {{ $labels.trading_strategy_name }} take {{ $value | humanizeDuration }} (95th percentile)."
            ),
            description="From the tick to the trade's end one in twenty takes longer than five seconds.",
            dashboard=_BOARD,
            panel="trade-duration",
            cases=stories.slow(
                *("trading.trade.duration", {**_STRATEGY, "trading_trade_outcome": "success"}),
                told=_STRATEGY,
                low=2,
                high=10,
                values=("14.83s", "9.153s"),
                resolved="35m",
            ),
        ),
    ),
)
