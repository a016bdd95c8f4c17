from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import NoOpMeter
from opentelemetry.trace import NoOpTracer

from otel_trading.health.monitor import HealthMonitor
from otel_trading.health.surroundings import Surroundings
from otel_trading.health.systemd import Systemd
from otel_trading.settings import Settings, resolve
from otel_trading.trading.facade import Trading

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PATIENCE = 60.0
BEGAN_NS = 1_700_000_000_000_000_000


class Line:
    """A log line, as it was written."""

    def __init__(self, severity: int, message: str, event: str, service: str, data: dict[str, Any]) -> None:
        self.severity = severity
        self.message = message
        self.event = event
        self.service = service
        self.data = data


class Bench:
    """A monitor on a clock that stands still until it is moved, and the trading events that it hears."""

    def __init__(self, **around: Any) -> None:
        self.now = 1_000.0
        self.written: list[Line] = []
        self.trading = Trading(NoOpMeter("bot"), NoOpTracer(), self)
        self.monitor = HealthMonitor(
            Surroundings(lines=lambda: self, **around),
            clock=lambda: self.now,
            wall=lambda: BEGAN_NS + int((self.now - 1_000) * 1e9),
            systemd=Systemd({}),
        )
        self.monitor.attend(self.trading)

    def write(
        self,
        severity: int,
        message: str,
        event: str = "",
        service: str = "",
        data: Any = None,
        tags: Any = (),
        **_: Any,
    ) -> None:
        """As log lines are written."""
        if service == "health_monitor":
            self.written.append(Line(severity, message, event, service, dict(data or {})))

    def use(self, **options: Any) -> None:
        """Apply settings."""
        assert self.monitor.apply(settings(**options)) == []

    def wait(self, seconds: float, step: float = 1.0) -> None:
        """Let time pass, and look at each step."""
        for _ in range(round(seconds / step)):
            self.now += step
            self.monitor.look()

    def state(self, name: str) -> str:
        """How a component is."""
        component = self.monitor.report().component(name)
        return component.state if component is not None else "unknown"

    def reasons(self, name: str) -> str:
        """Why a component is like that."""
        component = self.monitor.report().component(name)
        assert component is not None
        return "; ".join(component.reasons)

    def holding(self) -> list[str]:
        """What conditions hold, with their subjects."""
        return [f"{each.kind}({each.subject})" for each in self.monitor.conditions()]


def settings(**options: Any) -> Settings:
    """Settings with these options, and nothing of the environment; the process of the tests is as large as it is."""
    from pathlib import Path

    return resolve({"memory_threshold": 0, **options}, variables={}, folder=Path("/nonexistent")).settings


def eventually(happened: Callable[[], object], patience: float = PATIENCE) -> bool:
    """Whether it happens, waiting with patience."""
    deadline = time.monotonic() + patience
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A monitor to try rules with."""
    return Bench()
