"""The service levels of a bot."""

from __future__ import annotations

from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import rate, within
from otel_trading.provisioning.rules.model import Case
from otel_trading.provisioning.rules.slo import Slo

_W = "$window"
_AT = "job, trading_venue_name"
_VENUE = {"job": "bots/basis", "trading_venue_name": "kraken"}
_STAGE = {"job": "bots/basis", "trading_stage_name": "decide"}
_ACK = "trading_order_ack_duration_seconds"
_FAILED = 'error_type!=""'


def _served(name: str, labels: dict[str, str], **more: str) -> str:
    return stories.series(name, {**labels, "instance": "one"}, **more)


def _page(
    errors: str, total: str, labels: dict[str, str], value: str, *, scale: float = 1, good: bool = False
) -> tuple[Case, ...]:
    """Half of what comes goes wrong after an hour and a half, for half an hour; and little that all goes wrong."""
    bad = stories.steps((0, 90), (10 * scale, 30), (0, 180))
    well = stories.steps((20 * scale, 90), (10 * scale, 30), (20 * scale, 180))
    return (
        Case(
            series={errors: well if good else bad, total: stories.steps((20 * scale, 300))},
            interval="1m",
            labels=labels,
            value=value,
            quiet=("1h28m",),
            fires="1h55m",
            resolved="3h30m",
        ),
        Case(
            series={errors: "0x240" if good else "0x90 1x150", total: "0x90 1x150"},
            interval="1m",
            quiet=("1h40m", "2h30m"),
            about="one event that goes wrong is too little to wake anybody",
        ),
    )


def _ticket(
    errors: str,
    total: str,
    labels: dict[str, str],
    value: str,
    share: float,
    *,
    scale: float = 1,
    good: bool = False,
    added: bool = False,
) -> tuple[Case, ...]:
    """A little more goes wrong than is promised, for four hours."""
    events = 1000 * scale
    wrong = events * share
    bad = stories.steps((wrong, 240), (0, 480))
    well = stories.steps((events - wrong, 240), (events, 480))
    return (
        Case(
            series={errors: well if good else bad, total: stories.steps((events, 720))},
            interval="1m",
            labels=labels,
            value=value,
            fires="3h30m",
            resolved="9h30m",
            expressions={} if added else {"round(1e4 * sum(slo:sli_error:ratio_rate30d))": {"{}": round(1e4 * share)}},
        ),
    )


_ACKS = _served(f"{_ACK}_count", _VENUE)
_REFUSED = _served(f"{_ACK}_count", _VENUE, error_type="timeout")
_FRAMES = _served("trading_market_data_messages_total", _VENUE)
_GAPS = _served("trading_market_data_gaps_total", _VENUE)
_STAGES = _served("trading_stage_duration_seconds_count", _STAGE)
_MISSED = _served("trading_stage_budget_violations_total", _STAGE)
_STALE = _served("trading_market_data_stale_count", _VENUE)
_IN_TIME = _served(f"{_ACK}_bucket", _VENUE, le="0.5")

SLOS: tuple[Slo, ...] = (
    Slo(
        name="order-ack-availability",
        objective=99.5,
        errors=rate("trading.order.ack.duration", _AT, window=_W, matchers=_FAILED),
        total=rate("trading.order.ack.duration", _AT, window=_W),
        min_events=20,
        description="99.5 % of the orders get an answer of the venue that is no error.",
        dashboard="otel-trading-orders",
        panel="ack-latency",
        page_cases=_page(_REFUSED, _ACKS, _VENUE, "16.08%"),
        ticket_cases=_ticket(_REFUSED, _ACKS, _VENUE, "1.961%", 0.02, added=True),
    ),
    Slo(
        name="order-ack-latency",
        objective=99,
        errors=(
            f"{rate('trading.order.ack.duration', _AT, window=_W)} "
            f"- {within('trading.order.ack.duration', 0.5, _AT, window=_W)}"
        ),
        total=rate("trading.order.ack.duration", _AT, window=_W),
        min_events=20,
        description="99 % of the orders are answered within half a second.",
        dashboard="otel-trading-latency",
        panel="ack-latency",
        page_cases=_page(_IN_TIME, _ACKS, _VENUE, "19.58%", good=True),
        ticket_cases=_ticket(_IN_TIME, _ACKS, _VENUE, "4%", 0.04, good=True),
    ),
    Slo(
        name="feed-freshness",
        objective=99,
        bad=f"max by ({_AT}) (trading_market_data_stale_count) > bool 0",
        min_events=10,
        description="For 99 % of the time no subscription at a venue is stale.",
        dashboard="otel-trading-market-data",
        panel="stale-feeds",
        page_cases=(
            Case(
                series={_STALE: "0x90 2x30 0x180"},
                interval="1m",
                labels=_VENUE,
                value="41.67%",
                quiet=("1h28m",),
                fires="1h55m",
                resolved="3h30m",
            ),
            Case(
                series={_STALE: "2x5 0x100"},
                interval="1m",
                quiet=("4m", "7m"),
                about="a bot that has just begun has seen too little",
            ),
        ),
        ticket_cases=(
            Case(
                series={_STALE: " ".join(["1 0x18"] * 12) + " 0x480"},
                interval="1m",
                labels=_VENUE,
                value="5.213%",
                fires="3h30m",
                resolved="10h",
            ),
        ),
    ),
    Slo(
        name="data-completeness",
        objective=99.9,
        errors=f"sum by ({_AT}) (rate(trading_market_data_gaps_total[{_W}]))",
        total=f"sum by ({_AT}) (rate(trading_market_data_messages_total[{_W}]))",
        min_events=1000,
        description="Of a thousand frames of market data at most one reveals that others are missing.",
        dashboard="otel-trading-market-data",
        panel="gaps",
        page_cases=_page(_GAPS, _FRAMES, _VENUE, "19.17%", scale=100),
        ticket_cases=_ticket(_GAPS, _FRAMES, _VENUE, "0.4%", 0.004),
    ),
    Slo(
        name="stage-budget-compliance",
        objective=99,
        errors=f"sum by (job, trading_stage_name) (rate(trading_stage_budget_violations_total[{_W}]))",
        total=rate("trading.stage.duration", "job, trading_stage_name", window=_W),
        min_events=100,
        description="99 % of what a stage does is done within the stage's budget.",
        dashboard="otel-trading-latency",
        panel="sla-compliance-over-time",
        page_cases=_page(_MISSED, _STAGES, _STAGE, "19.17%", scale=10),
        ticket_cases=_ticket(_MISSED, _STAGES, _STAGE, "4%", 0.04),
    ),
)

SLO_GROUPS = tuple(slo.group() for slo in SLOS)
