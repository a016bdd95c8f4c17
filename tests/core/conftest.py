from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading import Telemetry, configure
from tests.core.otlp_receiver import OtlpReceiver
from tests.environment import bare

if TYPE_CHECKING:
    from pathlib import Path

Configure = Callable[..., Telemetry]


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A Collector that can be told to misbehave."""
    with OtlpReceiver() as running:
        yield running


def begin_at_zero() -> Any:
    """Forget what other tests measured and told: totals, positions and profits are the process's."""
    configuring = sys.modules["otel_trading.configure"]
    if configuring._current is not None:
        configuring._current.forget_trading()
        if not configuring._current.operations.thread.running:
            configuring._current.operations.alerts.restart_in_child()
            configuring._current.operations.health.restart_in_child()
    provider = configuring._native_provider
    if provider is not None:
        provider.registry.reset()
    return provider


@pytest.fixture
def configured(receiver: OtlpReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """``configure()`` towards the receiver, shut down at the end of the test."""
    monkeypatch.chdir(tmp_path)
    provider = begin_at_zero()
    asked = provider and provider._streams.asked()
    handles: list[Telemetry] = []

    def configure_here(**options: Any) -> Telemetry:
        defaults: dict[str, Any] = {"service_name": "test-bot", "endpoint": receiver.url, "ops_port": 0}
        defaults["runtime_enabled"] = False
        defaults["memory_threshold"] = 0  # the process of the tests is as large as it is
        defaults["flight_folder"] = str(tmp_path / "flight")
        defaults["emergency_folder"] = str(tmp_path / "emergency")
        defaults["traces_retention"] = "all"
        handles.append(configure(**{**defaults, "metric_interval": 60.0, **options}))
        return handles[-1]

    yield configure_here
    for handle in handles:
        handle.shutdown(2)
    if provider is not None:
        provider._streams.ask_only(asked)


@pytest.fixture
def bot(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a bot's source in a process of its own, with only the given OTEL_ variables."""

    def run(source: str, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        script = tmp_path / "my_bot.py"
        script.write_text(source, "utf-8")
        return subprocess.run(
            [*(command or (sys.executable,)), str(script)],
            env={
                **bare(),
                "OTEL_TRADING_OPS_PORT": "0",
                "OTEL_TRADING_FLIGHT_FOLDER": str(tmp_path / "flight"),
                **variables,
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
