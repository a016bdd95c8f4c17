"""One step after the other, each within its time, whatever the one before it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from otel_trading.lifecycle.model import CLOSE_POSITIONS, NOT_WANTED, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_trading.lifecycle.attempt import Attempt
    from otel_trading.lifecycle.model import Outcome, Step
    from otel_trading.lifecycle.pace import Pace

_CANCELLED_WITHIN = 0.3
"""Seconds that a cancelled step has to end."""

_FOR_CANCELLING = 0.1
"""The part of its time that is kept for that."""
_LEAST = 0.01
_SOON = 0.001


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants the end."""

    reason: str
    signal: int | None = None
    again: bool = False


class Mailbox(Protocol):
    """Where news come in."""

    def get(self, seconds: float) -> object | None:
        """What came next, ``None`` when nothing did for so many seconds."""
        ...


class Course:
    """Does steps in their order.

    Args:
        pace: the time there is.
        mailbox: wakes it when something is over, or somebody asks again.
        begin: starts a step.
        step_timeout: seconds of a step that has no timeout of its own.
        close_positions: whether that step is to be done.
        heard: told of each ``Asked`` that comes meanwhile.
        told: told of each phase when it is over.

    """

    def __init__(
        self,
        pace: Pace,
        mailbox: Mailbox,
        begin: Callable[[Step], Attempt],
        *,
        step_timeout: float,
        close_positions: bool,
        heard: Callable[[Asked], None],
        told: Callable[[Step, Phase, Attempt | None], None] = lambda *_: None,
    ) -> None:
        self.phases: list[Phase] = []
        self._pace = pace
        self._mailbox = mailbox
        self._begin = begin
        self._step_timeout = step_timeout
        self._close_positions = close_positions
        self._heard = heard
        self._told = told
        self._stopped_by = ""

    def run(self, steps: Sequence[Step], later: Sequence[bool] = ()) -> None:
        """Do them all; ``later`` is what else keeps its share of the time: whether each of it is critical."""
        for number, step in enumerate(steps):
            rest = [step.is_critical, *(each.is_critical for each in steps[number + 1 :]), *later]
            began = self._pace.now()
            outcome: Outcome = "skipped"
            attempt: Attempt | None = None
            detail = self._left_out(step)
            if not detail:
                outcome, detail, attempt = self._one(step, rest)
            phase = Phase(step.name, outcome, self._pace.now() - began, detail)
            if outcome not in ("done", "skipped") and step.stops_on_failure:
                self._stopped_by = step.name
            self.phases.append(phase)
            self._told(step, phase, attempt)

    def _left_out(self, step: Step) -> str:
        if step.name == CLOSE_POSITIONS and not self._close_positions:
            return NOT_WANTED
        if self._pace.over:
            return "there was no time left"
        if self._stopped_by and not step.is_critical:
            return f"{self._stopped_by} failed"
        return ""

    def _one(self, step: Step, rest: Sequence[bool]) -> tuple[Outcome, str, Attempt]:
        pace = self._pace
        began = pace.now()
        share = pace.share(rest)
        patience = min(_CANCELLED_WITHIN, share * _FOR_CANCELLING)
        allowed = min(step.timeout or self._step_timeout, share - patience)
        attempt = self._begin(step)
        self.wait(attempt, began, began + allowed, rest)
        if not attempt.over:
            taken = pace.now() - began
            attempt.cancel()
            patience = max(_LEAST, min(patience, pace.left / 2))
            self.wait(attempt, pace.now(), pace.now() + patience, rest, hurries=False)
            said = "; ".join(filter(None, (f"not over after {taken:.3g} s", attempt.said())))
            return ("timeout" if attempt.over else "abandoned"), said, attempt
        well, detail = attempt.verdict()
        return ("done" if well else "failed"), detail, attempt

    def wait(
        self, attempt: Attempt, began: float, until: float, rest: Sequence[bool], *, hurries: bool = True
    ) -> float:
        """Wait until it is over or the time is up, which comes sooner if somebody asks again; how it came out."""
        pace = self._pace
        while not attempt.over:
            now = pace.now()
            if now >= until:
                break
            look = attempt.look(now - began, until - began)
            wake = until if look is None else min(until, began + look)
            news = self._mailbox.get(max(_SOON, wake - now))
            if isinstance(news, Asked):
                before = pace.hurried
                self._heard(news)
                if hurries and pace.hurried != before:
                    until = min(until, pace.now() + pace.share(rest))
        return until
