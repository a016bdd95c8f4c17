"""Rules that the bot brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.alerts.aside import Aside
from otel_trading.alerts.rules.model import Finding, Rule
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_trading.alerts.rules.view import View

    Condition = Callable[[View], Any]
    Found = dict[str, Sequence[Finding] | BaseException]

_PATIENCE = 5.0
"""Seconds after which it is said that a rule does not return."""


def findings(said: Any) -> list[Finding]:  # noqa: ANN401 - what a function gives
    """What a rule's function gave: whether it holds, what for, or findings.

    >>> findings(False), findings(True), findings(["binance"])
    ([], [Finding(subject='', fields={}, level=None, message='')], \
[Finding(subject='binance', fields={'subject': 'binance'}, level=None, message='')])
    """
    if not said:
        return []
    if isinstance(said, Finding):
        return [said]
    if isinstance(said, str):
        return [Finding(message=said)]
    if isinstance(said, (bool, int, float)):
        return [Finding()]
    return [each if isinstance(each, Finding) else Finding(f"{each}", {"subject": f"{each}"}) for each in said]


def condition(function: Condition) -> Callable[[View, Rule], list[Finding]]:
    """A function of the view alone as what a rule asks."""
    return lambda view, _: findings(function(view))


class OwnRules:
    """Asks them beside the thread that watches: the bot's code may take its time, or never return."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self._aside: Aside[Found] = Aside("otel-alert-rules")
        self._asked = 0.0
        self._asking = ""
        self._complaints = Complaints("alert rules")

    def ask(self, rules: Sequence[Rule], view: View, now: float) -> Found:
        """What they found when they were asked last, and ask anew; nothing of one that was not asked since."""
        found = self._aside.take() or {}
        if not rules:
            return found
        if self._aside.start(lambda: self._all(rules, view)):
            self._asked = now
        elif now - self._asked > _PATIENCE:
            self._complaints.say(f"the alert rule {self._asking} does not return: the bot's own rules are not asked")
        return found

    def restart_in_child(self) -> None:
        """Ask anew in a forked child."""
        self._aside.restart_in_child()

    def _all(self, rules: Sequence[Rule], view: View) -> Found:
        found: Found = {}
        for rule in rules:
            self._asking = rule.name
            try:
                found[rule.name] = list(rule.when(view, rule))
            except Exception as error:
                found[rule.name] = error
        return found
