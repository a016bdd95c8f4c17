"""Captured telemetry with ccxt instrumented."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel_trading.instrument.ccxt import CcxtInstrumentor
from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured


@pytest.fixture(params=["native", "sdk"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """Captured in real time, on each engine."""
    with capture(engine=request.param, real_time=True) as captured:
        CcxtInstrumentor().instrument()
        try:
            yield captured
        finally:
            CcxtInstrumentor().uninstrument()


@pytest.fixture
def native() -> Iterator[Captured]:
    """Captured in real time, on the engine that bots use."""
    with capture(real_time=True) as captured:
        CcxtInstrumentor().instrument()
        try:
            yield captured
        finally:
            CcxtInstrumentor().uninstrument()
