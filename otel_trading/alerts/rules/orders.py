"""Rules on orders, opportunities, strategies and profit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.rules.model import Finding, Rule, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.alerts.rules.view import View

_ORDER = ("venue", "symbol", "side", "strategy", "client_order_id", "order_id")
_HIGHEST = 1_000


def _fill_rate(view: View, rule: Rule) -> Iterator[Finding]:
    for venue, fills in view.fills.items():
        if fills.submitted < rule.options["min_orders"] or rule.threshold is None:
            continue
        rate = fills.filled / fills.submitted
        limit = min(1.0, rule.threshold * 1.05) if view.fires(rule.name, venue) else rule.threshold
        if rate < limit:
            counts = {"filled": fills.filled, "submitted": fills.submitted}
            yield Finding(venue, {"venue": venue, "rate": f"{rate:.0%}", **counts})


def _large(view: View, rule: Rule) -> Iterator[Finding]:
    for event in view.happened("trading.order.filled"):
        notional = event["notional"]
        if notional is not None and rule.threshold is not None and float(notional) > rule.threshold:
            subject = event["execution_id"] or f"{event['client_order_id'] or event['order_id']} {event.time_ns}"
            more = event.some("last_quantity", "last_price", "currency", "liquidity", "execution_id")
            yield Finding(f"{subject}", {**event.some(*_ORDER), "notional": float(notional), **more})


def _opportunities(view: View, rule: Rule) -> Iterator[Finding]:
    for event in view.happened("trading.opportunity.detected"):
        edge = event["edge_bps"]
        if edge is not None and rule.threshold is not None and float(edge) > rule.threshold:
            known = event.some("strategy", "route", "venue", "symbol", "edge", "currency", "quantity")
            subject = " ".join(f"{event[key]}" for key in ("strategy", "route", "symbol") if event[key])
            yield Finding(subject, {**known, "edge_bps": float(edge)})


def _panic(view: View, _: Rule) -> Iterator[Finding]:
    for event in view.happened("trading.strategy.failed"):
        subject = f"{event['strategy'] or ''} {event['error_type'] or ''}".strip()
        yield Finding(subject, event.some("strategy", "error_type", "text"))


def _rejected(view: View, _: Rule) -> Iterator[Finding]:
    for event in view.happened("trading.order.rejected"):
        why = event["reject_reason"] or event["error_type"] or "no reason given"
        fields = event.some(*_ORDER, "error_type", "text")
        yield Finding(f"{event['venue'] or ''} {why}".strip(), {**fields, "reason": why})


def _unanswered(view: View, _: Rule) -> Iterator[Finding]:
    for event in view.happened("trading.order.unanswered"):
        yield Finding(event["venue"] or "", event.some(*_ORDER, "error_type", "text"))


def _abandoned(view: View, _: Rule) -> Iterator[Finding]:
    for event in view.happened("trading.order.abandoned"):
        yield Finding(event["venue"] or "", event.some(*_ORDER, "status", "leaves_quantity"))


def _milestones(view: View, rule: Rule) -> Iterator[Finding]:
    step = rule.threshold
    if not step or step < 0:
        return
    totals: dict[str, float] = {}
    for (_, currency), profit in view.session_pnl.items():
        totals[currency] = totals.get(currency, 0.0) + profit
    for currency, profit in totals.items():
        reached = min(int(profit / step), _HIGHEST) if profit > step else 0
        if reached:
            fields = {"currency": currency, "session_pnl": profit, "milestone": reached * step}
            yield Finding(f"{currency} {reached * step:g}", fields)


ORDERS = (
    Rule(
        "strategy_panic",
        AlertLevel.CRITICAL,
        _panic,
        "Strategy failed: {strategy}",
        "{error_type}: {text}",
        moment=True,
        again=60.0,
    ),
    Rule(
        "order_unanswered",
        AlertLevel.ERROR,
        _unanswered,
        "No answer to an order at {venue}",
        "Nobody knows whether the venue has {client_order_id} ({side} {symbol}): {error_type} {text}",
        moment=True,
        again=60.0,
    ),
    Rule(
        "order_rejected",
        AlertLevel.WARNING,
        _rejected,
        "Order rejected at {venue}: {reason}",
        "{side} {symbol} ({client_order_id}) {text}",
        moment=True,
        again=300.0,
    ),
    Rule(
        "order_abandoned",
        AlertLevel.WARNING,
        _abandoned,
        "Order without an end at {venue}",
        "{client_order_id} ({side} {symbol}) is {status} for longer than orders are remembered.",
        moment=True,
        again=300.0,
    ),
    Rule(
        "low_fill_rate",
        AlertLevel.WARNING,
        _fill_rate,
        "Few orders are filled at {venue}",
        "{filled} of {submitted} orders of the last hour were filled ({rate}).",
        threshold=0.7,
        unit="share of the orders of the last hour",
        resolve_after=60.0,
        options={"min_orders": 10.0},
        steps=(Step(3_600.0, AlertLevel.ERROR),),
    ),
    Rule(
        "large_execution",
        AlertLevel.INFO,
        _large,
        "Large execution at {venue}: {side} {last_quantity} {symbol}",
        "At {last_price}, worth {notional:,.0f} {currency}.",
        threshold=100_000.0,
        unit="worth of one execution, in its currency",
        moment=True,
        again=60.0,
        needs_threshold=True,
    ),
    Rule(
        "new_opportunities",
        AlertLevel.INFO,
        _opportunities,
        "Opportunity: {edge_bps:.1f} bp",
        "{strategy} {route} {symbol}",
        threshold=50.0,
        unit="edge in basis points",
        moment=True,
        again=300.0,
        needs_threshold=True,
    ),
    Rule(
        "performance_milestones",
        AlertLevel.INFO,
        _milestones,
        "Profit above {milestone:,.0f} {currency}",
        "{session_pnl:,.2f} {currency} since the session began.",
        unit="profit since the session began, in money; told at each multiple",
        moment=True,
        again=86_400.0,
        needs_threshold=True,
    ),
)
