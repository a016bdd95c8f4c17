"""What becomes of orders and trades."""

from __future__ import annotations

from otel_trading.provisioning.boards import now, shared, terms
from otel_trading.provisioning.boards.asked import happened, legend, mean, per_minute, percentiles, query, rate, total
from otel_trading.provisioning.boards.terms import BARS, NEVER_BELOW_ZERO, SIDE, STRATEGY, SYMBOL, VENUE
from otel_trading.provisioning.colours import BAD, GOOD, WARNING
from otel_trading.provisioning.dashboard import Dashboard
from otel_trading.provisioning.links import to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import stat, timeseries
from otel_trading.provisioning.variables import TRADING

_SUBMITTED = happened("trading.order.submissions")
_REJECTS = to_runbook("OrderRejectRateHigh")

_NOW = (
    now.success_rate(),
    stat(
        "Fill ratio",
        terms.share(happened("trading.execution.reports", trading_order_status="filled"), _SUBMITTED),
        description="Orders that were filled completely, of all that were submitted in the time shown.",
        unit="percentunit",
        base=BAD,
        thresholds=(Threshold(0.5, WARNING), Threshold(0.8, GOOD)),
        defaults=terms.NOTHING,
    ),
    stat(
        "Reject ratio",
        terms.share(happened("trading.execution.reports", trading_order_status="rejected"), _SUBMITTED),
        description="Orders that venues refused, of all that were submitted in the time shown.",
        unit="percentunit",
        thresholds=(Threshold(0.02, WARNING), Threshold(0.1, BAD)),
        defaults=terms.NOTHING,
        links=[_REJECTS],
    ),
    stat(
        "Active orders",
        total("trading.order.active"),
        slug="orders-open",
        description="Orders that are not final yet.",
        unit="{order}",
        base="blue",
    ),
    now.ack(),
    stat(
        "Commission",
        query(total, "trading.execution.commission", "trading.currency"),
        description="What venues took since the bots started, less what they gave.",
        unit="short",
        base="blue",
        defaults={"decimals": 2},
        slug="commission-now",
    ),
)

_ORDERS = Row(
    "Orders",
    (
        timeseries(
            "Orders submitted",
            query(per_minute, "trading.order.submissions", VENUE, SYMBOL, SIDE),
            slug="submissions",
            description="Orders handed to venues, a minute.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
        ),
        shared.execution_reports("execution-reports", "Reports by status"),
        timeseries(
            "Refusals by reason",
            query(
                per_minute,
                *("trading.execution.reports", VENUE, "trading.order.reject_reason"),
                trading_order_status="rejected",
            ),
            slug="rejects-by-reason",
            stacked=True,
            description="Orders that venues refused, a minute, and why.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
            links=[_REJECTS],
        ),
        timeseries(
            "Active orders over time",
            Query(total("trading.order.active", VENUE), f"active {legend(VENUE)}"),
            Query(total("trading.order.open", VENUE), f"at the venue {legend(VENUE)}"),
            slug="active-orders",
            description="Orders that are not final yet, and those of them that the venue has.",
            unit="{order}",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Cancellations",
            query(per_minute, "trading.order.cancel.requests", VENUE, SIDE),
            slug="cancels",
            description="Cancellations asked for, a minute.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Reports that do not fit",
            query(per_minute, "trading.order.anomalies", VENUE, "trading.order.anomaly"),
            Query(per_minute("trading.order.restorations", VENUE), f"unknown order found {legend(VENUE)}"),
            slug="anomalies",
            description="Reports that do not fit what is known of their order, and orders at a venue that the bot "
            "did not know of; a minute.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("OrderAnomaly")],
        ),
        shared.ack_latency(),
        shared.fill_latency(),
        timeseries(
            "Liquidity",
            query(
                per_minute,
                *("trading.execution.reports", VENUE, "trading.execution.liquidity"),
                trading_execution_type="trade",
            ),
            slug="liquidity",
            stacked=True,
            description="Executions that added liquidity (maker) and that removed it (taker), a minute.",
            unit="cpm",
            defaults=NEVER_BELOW_ZERO,
            custom=BARS,
        ),
    ),
)

_TRADES = Row(
    "Trades and opportunities",
    (
        shared.opportunities(),
        shared.opportunity_edge(),
        timeseries(
            "Trades begun",
            Query(rate("trading.opportunity.detections"), "opportunities"),
            Query(rate("trading.trade.plans"), "planned"),
            Query(rate("trading.trade.attempts"), "begun"),
            Query(
                rate("trading.trade.completions", trading_trade_outcome="success"),
                "succeeded",
            ),
            slug="trade-attempts",
            description="From opportunities to trades that succeeded, each a second: where chances are lost.",
            unit="ops",
            defaults=NEVER_BELOW_ZERO,
        ),
        shared.outcomes(),
        shared.trade_latency("trade-duration", "Execution latency"),
        timeseries(
            "Trades under way",
            query(total, "trading.trade.active", STRATEGY),
            slug="trades-active",
            description="Trades begun and not ended.",
            unit="{trade}",
            defaults=NEVER_BELOW_ZERO,
        ),
    ),
)

_EXECUTIONS = Row(
    "Executions",
    (
        timeseries(
            "Executed quantity",
            query(rate, "trading.execution.quantity", VENUE, SYMBOL),
            description="Executed quantity in the base currency, a second.",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Executed notional",
            query(rate, "trading.execution.notional", VENUE, SYMBOL, "trading.currency"),
            description="Executed quantity times price, a second.",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Commission over time",
            query(total, "trading.execution.commission", VENUE, STRATEGY, "trading.currency"),
            slug="commission",
            description="What venues took since the bots started, less what they gave.",
        ),
        timeseries(
            "Slippage",
            *percentiles("trading.execution.slippage.bps", VENUE, quantiles=(0.5, 0.95)),
            Query(mean("trading.execution.slippage.bps", VENUE), f"mean {legend(VENUE)}"),
            description="How much worse than expected prices were, below zero where better; p50, p95 and mean.",
            unit="bp",
            thresholds=(Threshold(25, BAD),),
            links=[to_runbook("SlippageHigh")],
        ),
        timeseries(
            "Settlement",
            *percentiles("trading.execution.settlement.duration", VENUE, quantiles=(0.5, 0.99)),
            slug="settlement-duration",
            description="From an execution to its settlement.",
            unit="s",
            defaults=NEVER_BELOW_ZERO,
        ),
        timeseries(
            "Executions not settled",
            query(total, "trading.execution.settlement.pending", VENUE),
            slug="settlement-pending",
            description="Executions that are not settled yet.",
            unit="{execution}",
            defaults=NEVER_BELOW_ZERO,
            links=[to_runbook("SettlementFailed")],
        ),
    ),
)

BOARD = Dashboard(
    "Orders and executions",
    uid="otel-trading-orders",
    description="What becomes of orders: acknowledged, filled, refused, how fast and at which prices?",
    tags=("otel-trading", "trading"),
    variables=TRADING,
    panels=(*_NOW, _ORDERS, _TRADES, _EXECUTIONS),
)
