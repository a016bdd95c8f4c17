"""Rules on limits, losses and what stops the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.rules.model import Finding, Rule, Step

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from otel_trading.alerts.rules.view import Limit, View

_WHAT = {"limit": "{limit_name} is at {used} of {limit} ({share})."}


def _of_position(limit: Limit) -> bool:
    return "position" in limit.name or "exposure" in limit.name


def _of_loss(limit: Limit) -> bool:
    return "loss" in limit.name or "drawdown" in limit.name


def _subject(limit: Limit) -> str:
    return " ".join(f"{part}" for part in (limit.name, limit.venue, limit.symbol, limit.strategy) if part)


def _fields(limit: Limit) -> dict[str, Any]:
    return {
        "limit_name": limit.name,
        "scope": limit.scope,
        "used": limit.used,
        "limit": limit.limit,
        "share": None if limit.utilization is None else f"{limit.utilization:.0%}",
        "strategy": limit.strategy,
        "venue": limit.venue,
        "symbol": limit.symbol,
    }


def _approaching(view: View, rule: Rule) -> Iterator[Finding]:
    for limit in view.limits:
        share = limit.utilization or 0.0
        near = limit.result == "warned" or rule.exceeded(share, view, _subject(limit))
        if near and limit.seconds <= rule.options["memory"]:
            yield Finding(_subject(limit), _fields(limit))


def _breach(view: View, rule: Rule) -> Iterator[Finding]:
    for limit in view.limits:
        share = limit.utilization or 0.0
        over = limit.result == "refused" or share > (rule.threshold or 1.0)
        if over and limit.seconds <= rule.options["memory"]:
            level = AlertLevel.ERROR if share > rule.options["severe"] else None
            yield Finding(_subject(limit), _fields(limit), level)


def _position(view: View, rule: Rule) -> Iterator[Finding]:
    factor = rule.threshold or 1.0
    for limit in view.limits:
        if _of_position(limit) and (limit.utilization or 0.0) > factor:
            yield Finding(_subject(limit), _fields(limit))
    most = rule.options["max_notional"]
    for (venue, symbol, strategy), held in view.positions.items():
        if most and held.notional is not None and abs(held.notional) > most * factor:
            share = f"{abs(held.notional) / most:.0%}"
            known = {"limit_name": "max_notional", "used": held.notional, "limit": most, "share": share}
            where = {"venue": venue, "symbol": symbol, "strategy": strategy, "currency": held.currency}
            yield Finding(f"{venue} {symbol} {strategy or ''}".strip(), {**known, **where})


def _loss(view: View, rule: Rule) -> Iterator[Finding]:
    for limit in view.limits:
        if _of_loss(limit) and (limit.utilization or 0.0) > 1:
            yield Finding(_subject(limit), _fields(limit))
    if rule.threshold is None:
        return
    totals: dict[str, float] = {}
    for (_, currency), profit in view.session_pnl.items():
        totals[currency] = totals.get(currency, 0.0) + profit
    for currency, profit in totals.items():
        if -profit > rule.threshold:
            share = f"{-profit / rule.threshold:.0%}" if rule.threshold else None
            known = {"limit_name": f"session loss in {currency}", "used": -profit, "limit": rule.threshold}
            yield Finding(currency, {**known, "share": share, "currency": currency})


def _breaker(view: View, _: Rule) -> Iterator[Finding]:
    for name, breaker in view.breakers.items():
        if breaker.state != "closed":
            yield Finding(name, {"breaker": name, "state": breaker.state, "reason": breaker.reason})


def _halted(view: View, _: Rule) -> Iterator[Finding]:
    if view.halt is not None:
        yield Finding("", {"trigger": view.halt.trigger, "reason": view.halt.reason})


def _drift(view: View, _: Rule) -> Iterator[Finding]:
    for drifted in view.happened("trading.position.drifted"):
        if drifted["drift"]:
            names = ("venue", "symbol", "believed", "position", "drift", "text")
            yield Finding(f"{drifted['venue']} {drifted['symbol']}", {name: drifted[name] for name in names})


RISK = (
    Rule(
        "position_breach",
        AlertLevel.CRITICAL,
        _position,
        "Position far above its limit: {limit_name} {symbol}",
        _WHAT["limit"],
        threshold=1.1,
        unit="times the limit",
        options={"max_notional": 0.0},
    ),
    Rule(
        "loss_limit_breach",
        AlertLevel.CRITICAL,
        _loss,
        "Loss above its limit: {limit_name}",
        _WHAT["limit"],
        unit="loss since the session began, in money; the limits that the bot checks hold without it",
        resolve_after=10.0,
    ),
    Rule(
        "limit_breach",
        AlertLevel.WARNING,
        _breach,
        "Risk limit reached: {limit_name}",
        _WHAT["limit"],
        threshold=1.0,
        unit="share of the limit",
        resolve_after=10.0,
        options={"severe": 1.1, "memory": 900.0},
        covered_by=("position_breach", "loss_limit_breach"),
    ),
    Rule(
        "approaching_limits",
        AlertLevel.WARNING,
        _approaching,
        "Close to a risk limit: {limit_name}",
        _WHAT["limit"],
        threshold=0.85,
        unit="share of the limit",
        resolve_after=30.0,
        options={"memory": 900.0},
        steps=(Step(1_800.0, AlertLevel.ERROR),),
        covered_by=("limit_breach", "position_breach", "loss_limit_breach"),
    ),
    Rule(
        "position_drift",
        AlertLevel.ERROR,
        _drift,
        "{venue} holds another position in {symbol}",
        "It is {position}, the bot knew of {believed}. {text}",
        moment=True,
        again=300.0,
    ),
    Rule(
        "circuit_breaker_trip",
        AlertLevel.CRITICAL,
        _breaker,
        "Circuit breaker tripped: {breaker}",
        "It is {state}: {reason}",
    ),
    Rule(
        "trading_halted",
        AlertLevel.CRITICAL,
        _halted,
        "Trading halted: {trigger}",
        "{reason}",
    ),
)
