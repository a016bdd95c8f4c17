"""What a rule is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otel_trading.alerts.model import AlertLevel, AlertPayload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from otel_trading.alerts.model import State
    from otel_trading.alerts.rules.view import View

_EASIER = 0.95


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found at one moment.

    Args:
        subject: what it holds for, where the rule has several: a venue, a subscription, a limit.
        fields: what is known of it; the title and the message are made of these.
        level: how serious it is, where it is not what the rule says.
        message: in words, where they are not the rule's.

    """

    subject: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    level: AlertLevel | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Who is told next when nobody cares.

    Args:
        after: seconds since the alert began to fire.
        level: how serious it is from then on.
        channels: who is told beside those whom the level brings.

    """

    after: float
    level: AlertLevel | None = None
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition, and what is done while it holds.

    Args:
        name: what it is called in the configuration.
        level: how serious it is.
        when: what it holds for now.
        title: what happened, in a few words; ``{venue}`` stands for a field.
        message: what is known of it.
        for_: seconds that it has to hold before anybody is told.
        resolve_after: seconds that it must not hold before it is over.
        threshold: the figure that it compares with, in the unit that ``unit`` says; ``None`` switches it off where
            it needs one.
        unit: of the threshold.
        options: further figures.
        moment: whether it is over as soon as it is told, as a large execution is.
        again: seconds within which the same thing is told once, where it is a moment.
        steps: who is told next.
        channels: who is told, instead of those whom routes say.
        covered_by: rules that say more of the same venue: while one of them fires, this one tells nobody.
        stop: whether it stops trading.
        runbook: where it is written what to do.
        enabled: whether it is asked at all.
        needs_threshold: whether it is silent without one.

    """

    name: str
    level: AlertLevel
    when: Callable[[View, Rule], Iterable[Finding]]
    title: str
    message: str = ""
    for_: float = 0.0
    resolve_after: float = 0.0
    threshold: float | None = None
    unit: str = ""
    options: Mapping[str, float] = field(default_factory=dict)
    moment: bool = False
    again: float = 60.0
    steps: tuple[Step, ...] = ()
    channels: tuple[str, ...] = ()
    covered_by: tuple[str, ...] = ()
    stop: bool = False
    runbook: str = ""
    enabled: bool = True
    needs_threshold: bool = False

    @property
    def awake(self) -> bool:
        """Whether it can find anything."""
        return self.enabled and not (self.needs_threshold and self.threshold is None)

    def exceeded(self, value: float, view: View, subject: str) -> bool:
        """Whether a value is above the threshold; once it was, it has to fall a twentieth below it."""
        limit = self.threshold or 0.0
        return value > (limit * _EASIER if view.fires(self.name, subject) else limit)

    def payload(self, finding: Finding, level: AlertLevel, state: State, began: datetime) -> AlertPayload:
        """What is told of a finding."""
        fields = {key: shown(value) for key, value in finding.fields.items() if value is not None}
        if self.runbook:
            fields["runbook"] = self.runbook
        return AlertPayload(
            level=level,
            title=_filled(self.title, finding.fields),
            message=finding.message or _filled(self.message, finding.fields),
            timestamp=began,
            fields=fields,
            rule=self.name,
            subject=finding.subject,
            state=state,
        )


class _Known(dict[str, Any]):
    def __missing__(self, key: str) -> _Unknown:
        return _Unknown()


class _Unknown:
    def __format__(self, spec: str) -> str:
        return ""


def _filled(template: str, fields: Mapping[str, Any]) -> str:
    known = {key: _Unknown() if value is None else value for key, value in fields.items()}
    try:
        text = template.format_map(_Known(known)).replace("()", "")
    except (ValueError, TypeError, LookupError, AttributeError):  # a field is not of the kind the text expects
        text = template
    return " ".join(text.split()).strip(" :")


def shown(value: object) -> str:
    """A field as people read it.

    >>> shown(0.1 + 0.2), shown("binance"), shown(1_500_000.0)
    ('0.3', 'binance', '1500000')
    """
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)
