"""Rules on market data and on the ways to venues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.rules.model import Finding, Rule, Step

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.alerts.rules.view import View

_SPECIFICATION = "spec_validation_changed"
"""The kind of error that is a change of the venue's, and no damage."""


def _stale(view: View, rule: Rule) -> Iterator[Finding]:
    for each in view.subscriptions:
        limit = each.threshold if rule.threshold is None else rule.threshold
        if each.seconds > limit:
            what = each.subscription or each.symbol or each.type
            fields = {"subscription": what, "symbol": each.symbol, "type": each.type or None, "seconds": each.seconds}
            yield Finding(f"{each.venue} {what}".strip(), {"venue": each.venue, **fields})


def _latency(view: View, rule: Rule) -> Iterator[Finding]:
    for venue, p95 in view.latency.items():
        if rule.exceeded(p95, view, venue):
            yield Finding(venue, {"venue": venue, "p95_seconds": p95, "threshold": rule.threshold})


def _corruption(view: View, _: Rule) -> Iterator[Finding]:
    for event in view.happened("trading.market_data.error"):
        if event["error_type"] != _SPECIFICATION:
            venue, kind = event["venue"], event["error_type"] or "error"
            yield Finding(f"{venue} {kind}", event.some("venue", "symbol", "subscription", "error_type", "text"))


def _changes(view: View, _: Rule) -> Iterator[Finding]:
    for event in view.happened("trading.venue.session_changed"):
        subject = " ".join(part for part in (event["venue"], event["symbol"], event["session_status"]) if part)
        what = f"{event['symbol'] or 'the venue'} is {event['session_status'] or 'changed'}"
        fields = event.some("venue", "symbol", "session_status", "reason")
        yield Finding(subject, {**fields, "what": what, "text": event["reason"] or ""})
    for event in view.happened("trading.market_data.error"):
        if event["error_type"] == _SPECIFICATION:
            fields = event.some("venue", "symbol", "subscription", "error_type")
            said = {"what": "its specification changed", "text": event["text"] or ""}
            yield Finding(f"{event['venue']} {event['symbol'] or ''}".strip(), {**fields, **said})


def _disconnect(view: View, rule: Rule) -> Iterator[Finding]:
    for (venue, name), connection in view.connections.items():
        persistent = connection.seconds >= rule.options["persistent"]
        if connection.state == "connected" or (connection.state == "connecting" and not persistent):
            continue
        fields = {"venue": venue, "connection": name or None, "state": connection.state, "reason": connection.reason}
        said = {"what": "does not come back" if persistent else "is lost", "seconds": connection.seconds}
        level = AlertLevel.ERROR if persistent else None
        yield Finding(f"{venue} {name}".strip(), {**fields, **said}, level)


def _down(view: View, _: Rule) -> Iterator[Finding]:
    for venue in dict.fromkeys(venue for venue, _ in view.connections):
        mine = [each for (of, _), each in view.connections.items() if of == venue]
        if all(each.state != "connected" for each in mine):
            seconds = min(each.seconds for each in mine)
            yield Finding(venue, {"venue": venue, "connections": len(mine), "seconds": seconds})


def _errors(view: View, rule: Rule) -> Iterator[Finding]:
    for venue, rate in view.errors.items():
        if rule.exceeded(rate, view, venue):
            yield Finding(venue, {"venue": venue, "errors_per_second": rate, "threshold": rule.threshold})


MARKET = (
    Rule(
        "stale_data",
        AlertLevel.WARNING,
        _stale,
        "No market data from {venue}: {subscription}",
        "Nothing came for {seconds:.0f} s, whatever the connection says.",
        unit="seconds without data; each subscription's own limit when not given",
        resolve_after=2.0,
        steps=(Step(120.0, AlertLevel.ERROR),),
        covered_by=("connection_down",),
    ),
    Rule(
        "high_latency",
        AlertLevel.WARNING,
        _latency,
        "Market data of {venue} is late",
        "95 % of the last minute took up to {p95_seconds:.2f} s, more than {threshold:g} s.",
        threshold=2.0,
        unit="seconds, 95th percentile of the last minute",
        for_=120.0,
        resolve_after=30.0,
        steps=(Step(900.0, AlertLevel.ERROR),),
    ),
    Rule(
        "data_corruption",
        AlertLevel.CRITICAL,
        _corruption,
        "Market data of {venue} cannot be used: {error_type}",
        "{symbol} {text}",
        moment=True,
        again=300.0,
    ),
    Rule(
        "market_changes",
        AlertLevel.INFO,
        _changes,
        "{venue}: {what}",
        "{text}",
        moment=True,
        again=300.0,
    ),
    Rule(
        "exchange_disconnect",
        AlertLevel.WARNING,
        _disconnect,
        "Connection to {venue} {what}",
        "{connection} {state} for {seconds:.0f} s: {reason}",
        resolve_after=3.0,
        options={"persistent": 30.0},
        covered_by=("connection_down",),
    ),
    Rule(
        "connection_down",
        AlertLevel.ERROR,
        _down,
        "{venue} is not reachable",
        "None of its {connections} connections is there, for {seconds:.0f} s.",
        for_=20.0,
        resolve_after=3.0,
        steps=(Step(300.0, AlertLevel.CRITICAL),),
        covered_by=("service_down",),
    ),
    Rule(
        "high_error_rate",
        AlertLevel.ERROR,
        _errors,
        "Many errors at {venue}",
        "{errors_per_second:.2f} errors a second in the last minute, more than {threshold:g}.",
        threshold=1.0,
        unit="errors a second in the last minute",
        resolve_after=30.0,
        steps=(Step(900.0, AlertLevel.CRITICAL),),
    ),
)
