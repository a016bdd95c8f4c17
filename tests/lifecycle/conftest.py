from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.core.conftest import configured, receiver
from tests.core.started_bots import StartedBot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.core.otlp_receiver import OtlpReceiver

    Start = Callable[..., StartedBot]

__all__ = ["configured", "receiver"]

BEGIN = """
import asyncio, os, signal, sys, threading, time
import otel_trading as ot
telemetry = ot.configure()
"""
"""What every bot in a process of its own begins with."""


@pytest.fixture
def start(tmp_path: Path, receiver: OtlpReceiver) -> Start:
    """Start a bot that sends to the receiver."""
    usual = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_TRADING_STATE_FILE": str(tmp_path / "state.json")}
    return lambda source, **variables: StartedBot(BEGIN + source, tmp_path, **{**usual, **variables})
