"""Captured telemetry, with ``websockets`` instrumented."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel_trading.instrument.websockets import WebSocketsInstrumentor
from tests.instrument.sockets import instrumented, taken_back, telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.instrument.instrumentor import Instrumentor

__all__ = ["instrumented", "telemetry"]


@pytest.fixture
def instrumentor() -> Iterator[Instrumentor]:
    """Taken back after the test."""
    yield from taken_back(WebSocketsInstrumentor())
