"""One check: how it is done, and what it found last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otel_trading import redaction
from otel_trading.health.checks.probe import Probe
from otel_trading.health.model import STATES, Component

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.health.model import State

_LONGEST_REASON = 300
_MOST_DETAILS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a check is done; times are seconds.

    Args:
        interval: from the beginning of one to the beginning of the next.
        timeout: how long one may take.
        critical: whether the bot can do without what is checked.
        depends_on: the names of components that it needs.
        slow: a time from which on an answer is no good one; none where ``None``.
        failures: how many in a row make it ``down``; fewer make it ``degraded``.

    """

    interval: float = 30.0
    timeout: float = 10.0
    critical: bool = False
    depends_on: tuple[str, ...] = ()
    slow: float | None = None
    failures: int = 1

    def __post_init__(self) -> None:
        for name in ("interval", "timeout", "slow"):
            value = getattr(self, name)
            if value is not None and not 0 < value < float("inf"):
                message = f"{name}={value!r} is no number of seconds above 0"
                raise ValueError(message)
        if self.failures < 1:
            message = f"failures={self.failures!r} is no whole number above 0"
            raise ValueError(message)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one run found."""

    state: State
    reason: str = ""
    details: Mapping[str, object] = field(default_factory=dict)


class Check:
    """A check with its terms; ``component`` is what is known of it, ready to be shown."""

    def __init__(self, name: str, probe: Callable[[], Any], terms: Terms) -> None:
        self.name = name
        self.probe = probe
        self.terms = terms
        self.removed = False
        self.runs = 0
        self.failed = 0
        """Runs in a row that found it down."""
        self.hanging: Any = None
        """What does not come back, while it does not."""
        self.component = Component(
            name, "degraded", terms.critical, ("not checked yet",), self._about(), terms.depends_on, kind="dependency"
        )

    @property
    def checked(self) -> bool:
        """Whether it was checked at all."""
        return self.runs > 0

    def shown(self, text: str) -> str:
        """A text on one line, without secrets and of a bounded length."""
        said = " ".join(text.split())
        said = self.probe.shown(said) if isinstance(self.probe, Probe) else redaction.redact(said)
        return said if len(said) <= _LONGEST_REASON else f"{said[:_LONGEST_REASON]}…"

    def found(self, verdict: Verdict, seconds: float, time_ns: int) -> State:
        """Take in what a run found, and how long it took; how the component is now."""
        self.runs += 1
        terms, state, reason = self.terms, verdict.state, self.shown(verdict.reason)
        self.failed = self.failed + 1 if state == "down" else 0
        if state == "down" and self.failed < terms.failures:
            state, reason = "degraded", f"{reason} ({self.failed} of {terms.failures} times)"
        elif state == "healthy" and terms.slow is not None and seconds > terms.slow:
            state, reason = "degraded", f"it took {seconds:.3g} s, which is slow from {terms.slow:.3g} s on"
        details = {**self._about(), "latency_ms": round(seconds * 1_000, 3), **_plain(verdict.details, self.shown)}
        reasons = () if state == "healthy" else (reason or "the check says so",)
        self.component = Component(
            *(self.name, state, terms.critical, reasons, details, terms.depends_on),
            checked_ns=time_ns,
            kind="dependency",
        )
        return state

    def _about(self) -> dict[str, object]:
        probe, terms = self.probe, self.terms
        about: dict[str, object] = {"interval": terms.interval, "timeout": terms.timeout}
        if isinstance(probe, Probe):
            return {"type": probe.kind, "address": probe.address, **about}
        return {"type": "custom", **about}


def verdict_of(answer: object) -> Verdict:
    """What a probe's answer says: nothing or true is well, false is not, a state is that, a mapping is details.

    >>> verdict_of(None).state, verdict_of(False).state, verdict_of("degraded").state
    ('healthy', 'down', 'degraded')
    >>> verdict_of({"status": "degraded", "reason": "behind", "blocks": 12})
    Verdict(state='degraded', reason='behind', details={'blocks': 12})
    """
    if answer is None or answer is True:
        return Verdict("healthy")
    if answer is False:
        return Verdict("down", "the check says no")
    if isinstance(answer, str) and answer in STATES:
        return Verdict(answer, "" if answer == "healthy" else f"the check says {answer}")
    if isinstance(answer, Mapping):
        rest = {str(key): value for key, value in answer.items() if key not in {"status", "reason"}}
        inner = verdict_of(answer.get("status"))
        return Verdict(inner.state, str(answer.get("reason", inner.reason)), rest)
    return Verdict("healthy", details={"answer": answer})


def _plain(details: Mapping[str, object], shown: Callable[[str], str]) -> dict[str, object]:
    """What JSON can say, without secrets."""
    found: dict[str, object] = {}
    for key, value in list(details.items())[:_MOST_DETAILS]:
        if value is None or isinstance(value, (bool, int, float)):
            found[key] = value
        elif isinstance(value, (list, tuple)):
            found[key] = [shown(str(each)) for each in value[:_MOST_DETAILS]]
        else:
            found[key] = shown(str(value))
    return found
