"""Components that the bot itself tells of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from otel_trading.health.model import STATES, Component
from otel_trading.settings import Problem, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.health.model import State


class OwnComponent:
    """A component whose state the bot says; made by ``HealthMonitor.component``. No call raises or waits.

    >>> from otel_trading.health.monitor import HealthMonitor
    >>> health = HealthMonitor()
    >>> model = health.component("model", critical=True)
    >>> model.degraded("the features are 12 s old", features_age=12)
    >>> health.report().component("model").reasons
    ('the features are 12 s old',)
    >>> model.healthy()
    >>> health.report().state
    'healthy'
    """

    def __init__(
        self,
        component: Component,
        wall_ns: Callable[[], int],
        leave: Callable[[OwnComponent], None],
    ) -> None:
        self._wall_ns = wall_ns
        self._leave = leave
        self.now = component
        """How it is."""

    def healthy(self, **details: object) -> None:
        """All is well."""
        self._set("healthy", "", details)

    def degraded(self, reason: str, **details: object) -> None:
        """It works, and not well."""
        self._set("degraded", reason, details)

    def down(self, reason: str, **details: object) -> None:
        """It does not work."""
        self._set("down", reason, details)

    def set(self, state: State, reason: str = "", **details: object) -> None:
        """It is like that from now on; ``details`` are shown as they are."""
        self._set(state, reason, details)

    def remove(self) -> None:
        """It is there no more."""
        self._leave(self)

    def _set(self, state: State, reason: str, details: dict[str, object]) -> None:
        if state not in STATES:
            report(Problem("state", state, ", ".join(STATES), self.now.state, f"component {self.now.name}"))
            return
        said = () if state == "healthy" else (f"{reason}" or "the bot says so",)
        self.now = replace(self.now, state=state, reasons=said, details=details, checked_ns=self._wall_ns())
