from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.conftest import configured, receiver
from tests.environment import bare

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["configured", "receiver"]

Run = Callable[..., "subprocess.Popen[str]"]

PREPARED = """
import os, sys
from pathlib import Path
from otel_trading.tracing.native import NativeTracerProvider
folder = Path(sys.argv[1])
folder.mkdir(exist_ok=True)
provider = NativeTracerProvider({"service.name": sys.argv[2], "strategy": "basis"})
provider.record(folder, size=1 << 21, service=sys.argv[2])
tracer = provider.get_tracer("bot", "1.2")
"""
KILL = "\nos.kill(os.getpid(), 9)\n"
ONE_SPAN = """
with tracer.start_as_current_span("order.submit", attributes={"symbol": "BTC/USDT", "amount": 0.5}):
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give the folder that ``configured`` records into."""
    place = tmp_path / "flight"
    place.mkdir()
    return place


@pytest.fixture
def start(folder: Path) -> Run:
    """Start a bot with only the native provider."""

    def started(source: str, service: str = "test-bot", **more: Any) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PREPARED + source, str(folder), service]
        return subprocess.Popen(command, text=True, env=environment(), **more)

    return started


@pytest.fixture
def killed(start: Run, folder: Path) -> Callable[..., Path]:
    """Run a bot that is killed at its end, and give its recording."""

    def recorded(source: str = ONE_SPAN, service: str = "test-bot") -> Path:
        before = set(of_spans(folder))
        assert start(source + KILL, service).wait(30) == -9
        (recording,) = set(of_spans(folder)) - before
        return recording

    return recorded


def environment() -> dict[str, str]:
    return bare()


def of_spans(folder: Path) -> list[Path]:
    """The recordings of spans."""
    return [path for path in folder.iterdir() if not {".logs", ".metrics"} & set(path.suffixes)]


def until(happened: Callable[[], Any], timeout: float = 10.0) -> Any:
    """Wait for something to be true, and give it."""
    deadline = time.monotonic() + timeout
    while not (seen := happened()):
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)
    return seen


def values(span: Any) -> dict[str, Any]:
    """The attributes of a received span."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}
