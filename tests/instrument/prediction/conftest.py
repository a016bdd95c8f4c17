"""Captured telemetry while ccxt is instrumented."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel_trading.instrument.ccxt import CcxtInstrumentor
from otel_trading.testing import capture
from tests.instrument.prediction.venues import Told

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def told() -> Iterator[Told]:
    """What is told while ccxt is instrumented."""
    with capture(real_time=True) as captured:
        instrumentor = CcxtInstrumentor()
        instrumentor.instrument()
        try:
            yield Told(captured)
        finally:
            instrumentor.uninstrument()
