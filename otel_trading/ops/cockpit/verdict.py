"""What is wrong, the worst first: what is said before any figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from otel_trading.ops.cockpit.values import Tree

    Problem = tuple[str, str, str]
    """How bad it is, what is wrong, and the part of the page that has more."""

    Sections = Mapping[str, Any]

CRITICAL, WARNING = "critical", "warning"
MOST = 12
"""Problems that are named; the rest is counted."""

NEAR = 0.8
"""The share of a limit from which on it is worth a look."""

_OF_A_KIND = 3
"""Problems of one kind that are named each."""

_LEVELS = {"CRITICAL": CRITICAL, "ERROR": CRITICAL, "WARNING": WARNING}


def verdict(sections: Sections) -> Tree:
    """``ok``, ``warning`` or ``critical``, and why.

    >>> told = verdict({"emergency": {"engaged": True, "reason": "venue hacked", "by": "http"}})
    >>> told["level"], told["problems"]
    ('critical', [['critical', 'Emergency stop: venue hacked (by http)', 'risk']])
    """
    found: list[Problem] = []
    for look in _LOOKS:
        found += _few(list(look(sections)))
    found.sort(key=lambda problem: problem[0] != CRITICAL)
    level = found[0][0] if found else "ok"
    return {"level": level, "count": len(found), "problems": [list(problem) for problem in found[:MOST]]}


def _few(problems: list[Problem]) -> list[Problem]:
    """So that a hundred stale subscriptions do not hide one tripped breaker."""
    if len(problems) <= _OF_A_KIND:
        return problems
    problems.sort(key=lambda problem: problem[0] != CRITICAL)
    level, _, where = problems[_OF_A_KIND]
    return [*problems[:_OF_A_KIND], (level, f"and {len(problems) - _OF_A_KIND} more like these", where)]


def _emergency(sections: Sections) -> Iterator[Problem]:
    state = sections.get("emergency", {})
    if state.get("engaged"):
        yield CRITICAL, f"Emergency stop: {state.get('reason', 'no reason given')} (by {state.get('by', '?')})", "risk"


def _halted(sections: Sections) -> Iterator[Problem]:
    state = sections.get("risk", {}).get("trading", {})
    if state.get("halted") and not sections.get("emergency", {}).get("engaged"):
        said = ": ".join(filter(None, (state.get("trigger"), state.get("reason"))))
        yield CRITICAL, f"Trading is halted ({said})", "risk"


def _alerts(sections: Sections) -> Iterator[Problem]:
    for alert in sections.get("alerts", {}).get("active", {}).values():
        level = _LEVELS.get(alert["level"])
        if level is not None:
            subject = f" ({alert['subject']})" if alert.get("subject") else ""
            yield level, f"{alert['level'].capitalize()}: {alert['title']}{subject}", "alerts"


def _health(sections: Sections) -> Iterator[Problem]:
    health = sections.get("health", {})
    for name, component in health.get("components", {}).items():
        state = component["state"]
        if state == "healthy":
            continue
        bad = state == "down" and component.get("critical")
        why = f": {component['reasons'][0]}" if component.get("reasons") else ""
        yield CRITICAL if bad else WARNING, f"{name} is {state}{why}", "health"
    if not health.get("components") and health.get("state", "healthy") != "healthy":
        why = "; ".join(health.get("reasons", []))
        yield CRITICAL if health["state"] == "down" else WARNING, f"The bot is {health['state']}: {why}", "health"


def _breakers(sections: Sections) -> Iterator[Problem]:
    for breaker in sections.get("risk", {}).get("breakers", {}).values():
        state = breaker.get("state")
        if state in {"open", "half_open"}:
            why = f": {breaker['reason']}" if breaker.get("reason") else ""
            level = CRITICAL if state == "open" else WARNING
            yield level, f"Breaker {breaker.get('name')} is {state.replace('_', ' ')}{why}", "risk"


def _limits(sections: Sections) -> Iterator[Problem]:
    for limit in sections.get("risk", {}).get("limits", {}).values():
        share, result = limit.get("share") or 0.0, limit.get("result")
        of = f" of {limit['of']}" if limit.get("of") else ""
        if result == "refused" or share > 1:
            yield CRITICAL, f"Limit {limit.get('name')}{of} is reached ({share:.0%})", "risk"
        elif result == "warned" or share >= NEAR:
            yield WARNING, f"Limit {limit.get('name')}{of} is used by {share:.0%}", "risk"


def _connections(sections: Sections) -> Iterator[Problem]:
    for name, connection in sections.get("connections", {}).items():
        state = connection.get("state")
        if state == "disconnected":
            why = f": {connection['reason']}" if connection.get("reason") else ""
            yield CRITICAL, f"{name} is disconnected{why}", "venues"
        elif state == "connecting":
            yield WARNING, f"{name} is connecting", "venues"


def _feeds(sections: Sections) -> Iterator[Problem]:
    for feed in sections.get("feeds", {}).get("rows", {}).values():
        if feed.get("stale"):
            yield CRITICAL, f"No data from {feed['venue']} {feed['subscription']} for {feed['age']:.0f} s", "venues"


def _loops(sections: Sections) -> Iterator[Problem]:
    for thread, loop in sections.get("loops", {}).items():
        if loop["stalled"]:
            yield CRITICAL, f"The event loop of {thread} has not answered for {loop['late']:.1f} s", "process"


def _budgets(sections: Sections) -> Iterator[Problem]:
    for timed in sections.get("latency", {}).values():
        budget, minute = timed.get("budget"), timed["windows"].get("60")
        if budget and minute and minute[4] > budget:
            yield WARNING, f"{timed['label']}: p99 of {minute[4] / budget:.1f} times its budget", "latency"


def _delivery(sections: Sections) -> Iterator[Problem]:
    told = sections.get("delivery", {})
    for problem in told.get("problems", []):
        yield WARNING, f"Telemetry: {problem}", "telemetry"
    trouble = told.get("spool", {}).get("trouble")
    if trouble:
        yield WARNING, f"Telemetry: the spool cannot be used: {trouble}", "telemetry"


_LOOKS: tuple[Callable[[Sections], Iterator[Problem]], ...] = (
    *(_emergency, _halted, _alerts, _breakers, _limits, _loops, _connections, _feeds, _health, _budgets, _delivery),
)
