from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading import Telemetry, configure
from tests.core.conftest import begin_at_zero
from tests.export.receiver import Receiver

if TYPE_CHECKING:
    from pathlib import Path

Bot = Callable[..., Telemetry]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A Collector that can be told to misbehave."""
    with Receiver() as running:
        yield running


@pytest.fixture(params=["native", "sdk"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each of the engines."""
    return str(request.param)


@pytest.fixture
def bot(receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bot]:
    """``configure()`` towards the receiver, impatient, with everything kept; shut down at the end of the test."""
    monkeypatch.chdir(tmp_path)
    begin_at_zero()
    handles: list[Telemetry] = []

    def configured(**options: Any) -> Telemetry:
        defaults: dict[str, Any] = {
            "service_name": "test-bot",
            "endpoint": receiver.url,
            "ops_enabled": False,
            "runtime_enabled": False,
            "memory_threshold": 0,  # the process of the tests is as large as it is
            "flight_folder": str(tmp_path / "flight"),
            "spool_folder": str(tmp_path / "spool"),
            "traces_retention": "all",
            "span_delay": 0.05,
            "log_delay": 0.05,
            "metric_interval": 60.0,
            "timeout": 0.5,
            "log_level": "DEBUG",
        }
        handles.append(configure(**{**defaults, **options}))
        return handles[-1]

    yield configured
    receiver.mode = "healthy"
    for handle in handles:
        handle.shutdown(5.0)
