"""How long things take, what they may take, and what holds them up."""

from __future__ import annotations

from otel_trading.provisioning.boards import now, shared, terms
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
from otel_trading.provisioning.boards.terms import BARS, FALLING, NEVER_BELOW_ZERO, SHARE, STAGE, STRATEGY, VENUE
from otel_trading.provisioning.colours import BAD
from otel_trading.provisioning.dashboard import Dashboard
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import bar_gauge, gauge, heatmap, timeseries
from otel_trading.provisioning.variables import TRADING

_GENERATION = "cpython.gc.generation"
_SLOW = to_runbook("StageBudgetMissed")

_NOW = (
    gauge(
        "Within budget",
        terms.within_budget(),
        slug="sla-compliance-now",
        description="Share of all measurements that kept the budget of their stage, in the newest interval.",
        unit="percentunit",
        base=BAD,
        thresholds=FALLING,
        links=[to_runbook("StageBudgetMissed")],
    ),
    bar_gauge(
        "Within budget, by stage",
        Query(terms.within_budget(STAGE), legend(STAGE)),
        slug="sla-compliance",
        description="Share of measurements that kept the stage's budget: green from 99 %, orange from 95 %, else red.",
        unit="percentunit",
        base=BAD,
        thresholds=FALLING,
        height=6,
        width=10,
        links=[to_runbook("StageBudgetMissed")],
    ),
    now.tick_to_trade(),
    now.ack(),
)

_STAGES = Row(
    "Stages and budgets",
    (
        timeseries(
            "Latency by stage",
            *percentiles("trading.stage.duration", STAGE),
            slug="stage-latency",
            description="Median, 95th and 99th percentile of each stage. A diamond opens a trace of it.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            custom={"scaleDistribution": {"type": "log", "log": 10}},
            links=[_SLOW],
        ),
        heatmap(
            "Stages, distribution",
            heat("trading.stage.duration"),
            slug="stage-heatmap",
            description="How long stages took, all of them together.",
            unit="s",
            links=[_SLOW],
        ),
        timeseries(
            "Within budget over time",
            Query(terms.within_budget(STAGE), legend(STAGE)),
            slug="sla-compliance-over-time",
            description="Share of measurements that kept the stage's budget.",
            unit="percentunit",
            defaults=SHARE,
            links=[to_runbook("StageBudgetMissed")],
        ),
        timeseries(
            "Measurements by stage",
            query(count, "trading.stage.duration", STAGE),
            slug="stage-throughput",
            description="How often each stage ran, a second.",
            unit="ops",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Events and candles",
            Query(count("trading.stage.duration"), "events"),
            Query(
                f"({count('trading.stage.duration', trading_stage_name='candle_processing')}) or "
                f"{rate('trading.market_data.messages', trading_market_data_type='candle')}",
                "candles",
            ),
            slug="events-throughput",
            description="Measured events a second, and candles processed a second.",
            unit="ops",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Candles processed",
            count("trading.stage.duration", trading_stage_name="candle_processing"),
            slug="candles-throughput",
            description="How often candles were processed, a second.",
            unit="ops",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Budgets exceeded",
            query(per_minute, "trading.stage.budget.violations", STAGE),
            slug="budget-violations",
            stacked=True,
            description="Measurements that took longer than their stage's budget, a minute.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
            links=[to_runbook("StageBudgetMissed")],
        ),
        timeseries(
            "Queue backlog",
            query(highest, "trading.queue.depth", "queue.name"),
            slug="queue-backlog",
            description="Items that wait in the bot's queues; above 100 it cannot keep up.",
            unit="{item}",
            defaults=NEVER_BELOW_ZERO,
            thresholds=(Threshold(100, BAD),),
            links=[to_runbook("QueueBacklogHigh")],
        ),
        timeseries(
            "Slow operations",
            query(per_minute, "trading.runtime.slow_operations", STAGE),
            slug="slow-operations",
            stacked=True,
            description="Operations that took longer than the threshold they were watched with, a minute.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
        ),
    ),
)

_ORDERS = Row(
    "From tick to fill",
    (
        timeseries(
            "Tick to trade",
            *percentiles("trading.tick_to_trade.duration", STRATEGY),
            slug="tick-to-trade",
            description="From a tick's receipt to the first order it led to. A diamond is one tick: it opens a trace.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("TickToTradeSlow")],
        ),
        heatmap(
            "Tick to trade, distribution",
            heat("trading.tick_to_trade.duration"),
            slug="tick-to-trade-heatmap",
            description="From a tick's receipt to the first order it led to.",
            unit="s",
        ),
        shared.market_data_latency(),
        shared.ack_latency(),
        heatmap(
            "Acknowledgement, distribution",
            heat("trading.order.ack.duration"),
            slug="ack-heatmap",
            description="From an order's submission to the venue's answer.",
            unit="s",
        ),
        shared.fill_latency(),
        timeseries(
            "Cancellation",
            *percentiles("trading.order.cancel.duration", VENUE, quantiles=(0.5, 0.99)),
            slug="cancel-latency",
            description="From asking for a cancellation to its end.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
        shared.trade_latency("trade-duration", "Trades"),
        timeseries(
            "Work on messages",
            *(
                Query(each.expr, f"{what} {each.legend}", exemplars=each.exemplars)
                for what, name in (("parse", "parse"), ("handle", "dispatch"))
                for each in percentiles(f"trading.venue.message.{name}.duration", VENUE, quantiles=(0.99,))
            ),
            slug="message-work",
            description="Time to read a received message, and time that the bot's code took for it, 99th percentile.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
    ),
)

_RUNTIME = Row(
    "Interpreter",
    (
        heatmap(
            "Garbage collection, distribution",
            heat("trading.runtime.gc.duration"),
            slug="gc-pauses",
            description="Time the interpreter stood still for garbage collections.",
            unit="s",
            links=[to_runbook("GcPausesLong")],
        ),
        timeseries(
            "Garbage collection, p99",
            *percentiles("trading.runtime.gc.duration", _GENERATION, quantiles=(0.99,)),
            slug="gc-pause-p99",
            description="Time the interpreter stood still for a collection of each generation, 99th percentile.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            thresholds=(Threshold(0.05, BAD),),
            links=[to_runbook("GcPausesLong")],
        ),
        timeseries(
            "Collections",
            query(rate, "cpython.gc.collections", _GENERATION),
            slug="gc-collections",
            description="Collections a second, by generation.",
            unit="ops",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Event loop lag",
            *percentiles("trading.runtime.event_loop.lag"),
            slug="event-loop-lag",
            description="How late event loops call what is due.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
            thresholds=(Threshold(0.1, BAD),),
            links=[to_runbook("EventLoopLagHigh")],
        ),
        heatmap(
            "Event loop lag, distribution",
            heat("trading.runtime.event_loop.lag"),
            slug="event-loop-lag-heatmap",
            description="How late event loops call what is due.",
            unit="s",
        ),
        timeseries(
            "Event loop stalls",
            Query(per_minute("trading.runtime.event_loop.stalls"), "stalls", style="bars"),
            Query(total("trading.runtime.event_loop.stalled"), "stalled now", style="right"),
            slug="event-loop-stalls",
            description="Event loops that did not answer for a second; the log has the stack that held them up.",
            unit="{stall}",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("EventLoopLagHigh")],
        ),
        timeseries(
            "Waiting tasks",
            *percentiles("trading.runtime.task.delay", quantiles=(0.5, 0.99)),
            slug="task-delay",
            description="From a task's creation to its first step.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Waiting for executors",
            *percentiles("trading.runtime.executor.wait.duration", "executor.name", quantiles=(0.5, 0.99)),
            slug="executor-wait",
            description="From handing work to a thread pool to its beginning.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
    ),
)

BOARD = Dashboard(
    "Latency and budgets",
    uid="otel-trading-latency",
    description="How long does it take from tick to fill, is that within its budget, and what holds it up?",
    tags=("otel-trading", "latency"),
    variables=TRADING,
    panels=(*_NOW, _STAGES, _ORDERS, _RUNTIME),
)
