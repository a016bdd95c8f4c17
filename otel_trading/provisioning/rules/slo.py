"""Service levels: an objective, what is left of its budget, and alerts for when that burns too fast.

The recordings have the names that sloth gives them, so dashboards made for those show these, too. Over every window the
share of errors is that of the events in it, whenever they came: an hour with five orders counts as five orders.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from otel_trading.provisioning.rules import durations
from otel_trading.provisioning.rules.model import Case, Group, Recording, Rule, wrong

if TYPE_CHECKING:
    from collections.abc import Sequence

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_WINDOW = "$window"


@dataclass(frozen=True, kw_only=True, slots=True)
class Burn:
    """A speed at which the budget burns that somebody should know of.

    Args:
        consumed: the share of the whole budget that is gone within the long window at this speed.
        long: the window that must see it, so that it is worth telling.
        short: the window that must see it, too, so that it still goes on.

    """

    consumed: float
    long: str
    short: str

    def factor(self, window: str) -> float:
        """How many times faster than the budget lasts.

        >>> Burn(consumed=0.02, long="1h", short="5m").factor("30d")
        14.4
        """
        return round(self.consumed * durations.seconds(window) / durations.seconds(self.long), 6)


PAGE = (Burn(consumed=0.02, long="1h", short="5m"), Burn(consumed=0.05, long="6h", short="30m"))
TICKET = (Burn(consumed=0.10, long="1d", short="2h"), Burn(consumed=0.10, long="3d", short="6h"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Slo:
    """A service level objective.

    Either ``errors`` and ``total``, events a second with ``$window`` in place of the window, or ``bad``, which is 1
    while something is wrong and 0 while it is not: for what happens rarely, or is a state.

    Args:
        name: in small letters with dashes, such as ``order-ack-availability``.
        objective: the share that must be good, in per cent.
        service: whose service level it is.
        errors: PromQL of the bad events a second.
        total: PromQL of all events a second, with the same labels as ``errors``.
        bad: PromQL of a state.
        window: the period of the objective.
        min_events: with fewer events in the long window nobody is told; of a state, minutes that were seen.
        page: when somebody is woken.
        ticket: when somebody should look in office hours.
        description: what is promised, in a sentence.
        dashboard: of the alerts.
        panel: of the alerts.
        page_cases: the stories of the alert that wakes.
        ticket_cases: the stories of the other one.

    Example:
        >>> slo = Slo(
        ...     name="quotes-accepted",
        ...     objective=99,
        ...     errors='sum by (job) (rate(quotes_total{result="refused"}[$window]))',
        ...     total="sum by (job) (rate(quotes_total[$window]))",
        ...     min_events=50,
        ... )
        >>> slo.budget
        0.01
        >>> [rule.name for rule in slo.rules() if isinstance(rule, Rule)]
        ['QuotesAcceptedBurnFast', 'QuotesAcceptedBurnSlow']

    Raises:
        ValueError: a field has a value that it may not have.

    """

    name: str
    objective: float
    errors: str = ""
    total: str = ""
    bad: str = ""
    service: str = "otel-trading"
    window: str = "30d"
    min_events: int = 10
    page: Sequence[Burn] = PAGE
    ticket: Sequence[Burn] = TICKET
    description: str = ""
    dashboard: str = ""
    panel: str = ""
    page_cases: tuple[Case, ...] = field(default=())
    ticket_cases: tuple[Case, ...] = field(default=())

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise wrong("Slo", self.name, "name", self.name, "small letters, digits and dashes")
        if not 0 < self.objective < 100:  # noqa: PLR2004 - per cent
            raise wrong("Slo", self.name, "objective", self.objective, "a number between 0 and 100, in per cent")
        if bool(self.errors or self.total) == bool(self.bad) or bool(self.errors) != bool(self.total):
            given = {"errors": self.errors, "total": self.total, "bad": self.bad}
            raise wrong("Slo", self.name, "errors, total, bad", given, "errors with total, or bad alone")
        for name, text in (("errors", self.errors), ("total", self.total)):
            if text and _WINDOW not in text:
                raise wrong("Slo", self.name, name, text, f"PromQL with {_WINDOW} in place of the window")
        if self.min_events < 0:
            raise wrong("Slo", self.name, "min_events", self.min_events, "a number from 0 up")
        try:
            durations.seconds(self.window)
        except ValueError as error:
            raise wrong("Slo", self.name, "window", self.window, durations.ALLOWED) from error
        for burn in (*self.page, *self.ticket):
            if not {burn.long, burn.short} <= set(WINDOWS):
                raise wrong("Slo", self.name, "page, ticket", burn, f"windows of {', '.join(WINDOWS)}")

    @property
    def budget(self) -> float:
        """The share that may be bad."""
        return round(1 - self.objective / 100, 10)

    @property
    def labels(self) -> dict[str, str]:
        """What its series are known by."""
        return {"sloth_id": f"{self.service}-{self.name}", "sloth_service": self.service, "sloth_slo": self.name}

    @property
    def selector(self) -> str:
        """The matcher of its series."""
        return f'{{sloth_id="{self.service}-{self.name}"}}'

    def rules(self) -> tuple[Rule | Recording, ...]:
        """Recordings and the two alerts, in the order in which they need each other."""
        return (*self._sources(), *self._ratios(), *self._budgets(), *self._alerts())

    def _sources(self) -> tuple[Recording, ...]:
        if self.bad:
            return (Recording(name="slo:sli_bad:bool", expr=self.bad, labels=self.labels),)
        errors, total = (text.replace(_WINDOW, "5m") for text in (self.errors, self.total))
        return (
            Recording(name="slo:sli_total:rate5m", expr=total, labels=self.labels),
            # where no error ever happened there is no series of errors, and that is no error
            Recording(name="slo:sli_errors:rate5m", expr=f"({errors}) or 0 * ({total})", labels=self.labels),
        )

    def _over(self, window: str) -> str:
        at = self.selector
        if self.bad:
            return f"avg_over_time(slo:sli_bad:bool{at}[{window}])"
        if window == "5m":
            return f"slo:sli_errors:rate5m{at} / (slo:sli_total:rate5m{at} > 0)"
        total = f"sum_over_time(slo:sli_total:rate5m{at}[{window}])"
        return f"sum_over_time(slo:sli_errors:rate5m{at}[{window}]) / ({total} > 0)"

    def _ratios(self) -> tuple[Recording, ...]:
        windows = [*WINDOWS, *([] if self.window in WINDOWS else [self.window])]
        return tuple(
            Recording(
                name=f"slo:sli_error:ratio_rate{window}",
                expr=self._over(window),
                labels={**self.labels, "sloth_window": window},
            )
            for window in windows
        )

    def _budgets(self) -> tuple[Recording, ...]:
        current = f"sum without (sloth_window) (slo:sli_error:ratio_rate5m{self.selector})"
        period = f"sum without (sloth_window) (slo:sli_error:ratio_rate{self.window}{self.selector})"
        days = durations.seconds(self.window) / 86_400
        info = {**self.labels, "sloth_mode": "otel-trading", "sloth_objective": f"{self.objective:g}"}
        values = {
            "slo:objective:ratio": f"vector({self.objective / 100:.10g})",
            "slo:error_budget:ratio": f"vector({self.budget:.10g})",
            "slo:time_period:days": f"vector({days:g})",
            "slo:current_burn_rate:ratio": f"{current} / {self.budget:.10g}",
            "slo:period_burn_rate:ratio": f"{period} / {self.budget:.10g}",
            "slo:period_error_budget_remaining:ratio": f"1 - {period} / {self.budget:.10g}",
        }
        recordings = [Recording(name=name, expr=expr, labels=self.labels) for name, expr in values.items()]
        return (*recordings, Recording(name="sloth_slo_info", expr="vector(1)", labels=info))

    def _burns(self, burns: Sequence[Burn]) -> str:
        return "\nor\n".join(self._burn(burn) for burn in burns)

    def _burn(self, burn: Burn) -> str:
        limit = f"{burn.factor(self.window) * self.budget:.10g}"
        sides = [
            f"sum without (sloth_window) (slo:sli_error:ratio_rate{window}{self.selector}) > {limit}"
            for window in (burn.long, burn.short)
        ]
        if self.min_events and self.bad:
            seen = f"count_over_time(slo:sli_bad:bool{self.selector}[{burn.long}:1m]) >= {self.min_events}"
            sides.append(seen)
        elif self.min_events:
            # how many events the long window has: their mean rate times its length; without data there are none
            steps = f"sum_over_time(slo:sli_total:rate5m{self.selector}[{burn.long}:1m])"
            sides.append(f"60 * {steps} >= {self.min_events}")
        return "(" + "\n  and ".join(sides) + ")"

    def _alerts(self) -> tuple[Rule, ...]:
        words = "".join(word.capitalize() for word in self.name.split("-"))
        kinds = (
            ("Fast", "critical", self.page, "2m", self.page_cases),
            ("Slow", "warning", self.ticket, "15m", self.ticket_cases),
        )
        return tuple(
            Rule(
                name=f"{words}Burn{kind}",
                expr=self._burns(burns),
                for_=for_,
                severity=severity,
                summary=f"{self.name}: {{{{ $value | humanizePercentage }}}} of what was promised goes wrong.",
                description=self.description,
                dashboard=self.dashboard,
                panel=self.panel,
                labels=self.labels,
                cases=cases,
            )
            for kind, severity, burns, for_, cases in kinds
        )

    def group(self, interval: str = "1m") -> Group:
        """The rules as a group of their own."""
        return Group(name=f"slo-{self.name}", rules=self.rules(), interval=interval)
