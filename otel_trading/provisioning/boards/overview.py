"""Whether the bots trade, earn and are well, on one page."""

from __future__ import annotations

from otel_trading.provisioning.boards import now, shared, terms
from otel_trading.provisioning.boards.asked import happened, state
from otel_trading.provisioning.colours import BAD, HEALTH, TRADING
from otel_trading.provisioning.dashboard import Dashboard
from otel_trading.provisioning.links import to_board, to_runbook
from otel_trading.provisioning.model import Query, Row, Threshold
from otel_trading.provisioning.panels import stat, timeseries
from otel_trading.provisioning.panels import state as state_panel
from otel_trading.provisioning.variables import TRADING as CHOICES

_NOW = (
    state_panel(
        "Trading",
        terms.may_trade(),
        slug="trading-state",
        states=TRADING,
        description="What the bots may do; of several the most cautious.",
        links=[to_runbook("TradingHalted")],
    ),
    state_panel(
        "Health",
        state("trading.health.state", "trading.health.state", HEALTH),
        slug="health-state",
        states=HEALTH,
        description="The worst of all components that a bot watches.",
        links=[to_board("otel-trading-health", "Health and alerts", "health-states"), to_runbook("ServiceDown")],
    ),
    now.success_rate(),
    now.session_pnl(),
    now.breaker_status(),
    stat(
        "Alerts firing",
        'count(max by (alertname) (ALERTS{alertstate="firing", severity!="none"})) or vector(0)',
        description="Rules of Prometheus that fire now, the always firing one left out.",
        thresholds=(Threshold(1, BAD),),
        links=[to_board("otel-trading-health", "Health and alerts", "alerts-firing")],
    ),
    now.frames_rate(),
    now.tick_to_trade(),
    now.ack(),
    stat(
        "Fills",
        happened("trading.execution.reports", trading_execution_type="trade"),
        description="Executions in the time shown.",
        unit="{report}",
        base="blue",
        defaults={"decimals": 0},
    ),
    now.active_positions(),
    stat(
        "Telemetry dropped",
        f"{happened('trading.telemetry.dropped')} or vector(0)",
        description="Items of telemetry that were lost in the time shown: above none, other panels may say too little.",
        thresholds=terms.ANY_IS_BAD,
        links=[to_board("otel-trading-telemetry", "Telemetry", "dropped"), to_runbook("TelemetryDropped")],
    ),
)

_MONEY = Row(
    "Money and risk",
    (
        shared.profit_over_time(width=8),
        shared.trade_latency("execution-latency", "Execution latency"),
        shared.limit_utilization(),
        shared.trading_states(),
        shared.connections("venue-connections", "Connections"),
    ),
)

_TRADING = Row(
    "Orders and market",
    (
        shared.execution_reports("orders-by-status", "Orders by status"),
        shared.outcomes(),
        shared.opportunities(),
        shared.opportunity_edge(),
        shared.data_age(),
        timeseries(
            "Log lines at error",
            Query(
                'sum by (detected_level) (rate({service_name=~"$service"} | detected_level=~"error|critical|fatal" '
                "[$__auto]))",
                "{{detected_level}}",
                source="loki",
            ),
            slug="log-errors",
            description="Lines a second that say that something went wrong.",
            unit="cps",
            defaults=terms.NEVER_BELOW_ZERO,
            links=[to_board("otel-trading-logs-traces", "Logs and traces", "error-log")],
        ),
    ),
)

BOARD = Dashboard(
    "Bot overview",
    uid="otel-trading-overview",
    description="Do the bots trade, do they earn, are they well, and is what is shown complete?",
    tags=("otel-trading", "trading"),
    variables=CHOICES,
    panels=(*_NOW, _MONEY, _TRADING),
    since="30m",
)
