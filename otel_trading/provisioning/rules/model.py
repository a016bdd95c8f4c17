"""What a rule is, as plain data that is checked when it is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from otel_trading.provisioning.rules import durations

if TYPE_CHECKING:
    from collections.abc import Mapping

Severity = Literal["critical", "warning", "info"]
SEVERITIES = ("critical", "warning", "info")
WATCHDOG_SEVERITY = "none"

_ALERT_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
_RECORDING_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*(?::[a-zA-Z0-9_]+)+|sloth_slo_info")
_GROUP_NAME = re.compile(r"[a-z][a-z0-9-]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_NOTHING: Mapping[str, str] = MappingProxyType({})


def wrong(owner: str, name: str, field_name: str, value: object, allowed: str) -> ValueError:
    """The error that says which field of what has which value, and what is allowed."""
    return ValueError(f"{owner} {name!r}: {field_name}={value!r} is not allowed; allowed is {allowed}")


def _check_duration(owner: str, name: str, field_name: str, value: str) -> None:
    try:
        durations.seconds(value)
    except ValueError as error:
        raise wrong(owner, name, field_name, value, durations.ALLOWED) from error


def _check_labels(owner: str, name: str, labels: Mapping[str, str]) -> None:
    for label in labels:
        if not _LABEL_NAME.fullmatch(label) or label == "severity":
            raise wrong(owner, name, "labels", label, "letters, digits and _; severity has a field of its own")


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One story that a rule is tested with by ``promtool``: it is quiet, fires, and is over.

    Args:
        series: the input, by selector, in promtool's notation: ``"0x4 1x10"`` is five times 0, then eleven times 1.
        fires: when the rule fires; ``None`` if it never does.
        quiet: when it does not, besides the beginning.
        resolved: when it no longer does.
        labels: those of the alert that fires, without the rule's own.
        others: the labels of further alerts that fire at the same time, and what ``$value`` is in each.
        value: what the summary's ``$value`` is then, as the summary writes it.
        interval: time between two values of the input.
        expressions: what an expression is at ``fires`` or ``quiet``: samples by their labels, for recordings.
        about: what the story tells.

    """

    series: Mapping[str, str]
    fires: str | None = None
    quiet: tuple[str, ...] = ()
    resolved: str | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    others: tuple[tuple[Mapping[str, str], str], ...] = ()
    value: str = ""
    interval: str = "15s"
    expressions: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}))
    about: str = "it is quiet, fires and is over"

    def __post_init__(self) -> None:
        moments = {"fires": self.fires, "resolved": self.resolved, "interval": self.interval}
        for name, value in (*moments.items(), *(("quiet", moment) for moment in self.quiet)):
            if value is not None:
                _check_duration("Case", self.about, name, value)
        if self.resolved and not self.fires:
            raise wrong("Case", self.about, "resolved", self.resolved, "a time only where fires has one, too")
        if self.fires is None and not self.quiet:
            raise wrong("Case", self.about, "quiet", self.quiet, "at least one time where fires has none")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """An alert: what must hold for how long, how grave it is, and where one goes on from it.

    Args:
        name: in words with capitals, such as ``OrderRejectRateHigh``; the page of its runbook has the same.
        expr: what holds while it fires, in PromQL, or in LogQL where ``loki`` is set. Nothing that Grafana would
            expand: no ``$``.
        for_: how long it must hold before somebody is told.
        severity: ``critical`` wakes somebody, ``warning`` waits for office hours, ``info`` is for those who wonder.
        summary: one sentence; ``{{ $labels.x }}`` and ``{{ $value | humanize }}`` are filled in.
        description: what more there is to say, without placeholders.
        runbook: the address of its page; by default that of the kit's, or none where the rule is not the kit's.
        dashboard: the uid of the dashboard that shows it.
        panel: the slug of the panel there.
        labels: further labels.
        cases: the stories it is tested with.
        keep_firing_for: how long it fires on after it no longer holds.
        loki: it asks Loki, and is rendered for Grafana alone.
        always: it fires without any data, as a dead man's switch does.

    >>> Rule(name="QueueLong", expr="my_queue > 9", severity="loud", summary="The queue is long.")
    Traceback (most recent call last):
    ValueError: Rule 'QueueLong': severity='loud' is not allowed; allowed is critical, warning or info

    Raises:
        ValueError: a field has a value that it may not have; the message names all three.

    """

    name: str
    expr: str
    severity: str
    summary: str
    for_: str = "0s"
    description: str = ""
    runbook: str = ""
    dashboard: str = ""
    panel: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    cases: tuple[Case, ...] = ()
    keep_firing_for: str = "0s"
    loki: bool = False
    always: bool = False

    def __post_init__(self) -> None:
        name = self.name
        if not _ALERT_NAME.fullmatch(name):
            raise wrong("Rule", name, "name", name, "words with capitals, such as OrderRejectRateHigh")
        if self.severity not in SEVERITIES and not (self.always and self.severity == WATCHDOG_SEVERITY):
            raise wrong("Rule", name, "severity", self.severity, "critical, warning or info")
        if not self.expr.strip() or "$" in self.expr:
            raise wrong("Rule", name, "expr", self.expr, "an expression without $")
        if not self.summary.strip() or "\n" in self.summary:
            raise wrong("Rule", name, "summary", self.summary, "one line of text")
        if "{{" in self.description:
            raise wrong("Rule", name, "description", self.description, "text without placeholders")
        _check_duration("Rule", name, "for_", self.for_)
        _check_duration("Rule", name, "keep_firing_for", self.keep_firing_for)
        if bool(self.dashboard) != bool(self.panel):
            raise wrong("Rule", name, "panel", self.panel, "a slug together with a dashboard, or neither")
        _check_labels("Rule", name, self.labels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """A series that Prometheus computes at each evaluation.

    Args:
        name: ``level:metric:operations``, such as ``trading:order_fill:ratio_rate1h``.
        expr: its value, in PromQL.
        labels: further labels.

    Raises:
        ValueError: a field has a value that it may not have.

    """

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def __post_init__(self) -> None:
        if not _RECORDING_NAME.fullmatch(self.name):
            raise wrong(
                "Recording", self.name, "name", self.name, "words joined by colons, as in level:metric:operations"
            )
        if not self.expr.strip() or "$" in self.expr:
            raise wrong("Recording", self.name, "expr", self.expr, "an expression without $")
        _check_labels("Recording", self.name, self.labels)


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Rules that are evaluated together, one after the other; one file each.

    Args:
        name: in small letters with dashes; the name of the file.
        rules: recordings before the alerts that use them.
        interval: time between two evaluations; the default of Prometheus where empty.

    Raises:
        ValueError: a field has a value that it may not have, or a name occurs twice.

    """

    name: str
    rules: tuple[Rule | Recording, ...]
    interval: str = ""

    def __post_init__(self) -> None:
        if not _GROUP_NAME.fullmatch(self.name):
            raise wrong("Group", self.name, "name", self.name, "small letters, digits and dashes")
        if self.interval:
            _check_duration("Group", self.name, "interval", self.interval)
        names = [rule.name for rule in self.alerts]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise wrong("Group", self.name, "rules", ", ".join(twice), "each name once")

    @property
    def alerts(self) -> tuple[Rule, ...]:
        """The alerts among the rules."""
        return tuple(rule for rule in self.rules if isinstance(rule, Rule))

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """The recordings among the rules."""
        return tuple(rule for rule in self.rules if isinstance(rule, Recording))
