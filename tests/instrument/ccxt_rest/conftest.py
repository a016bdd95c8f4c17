"""Captured telemetry, the venues, and ccxt instrumented."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import otel_trading as ot
from otel_trading.instrument.ccxt import CcxtInstrumentor
from otel_trading.testing import capture
from tests.instrument.ccxt_rest.running import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured
    from tests.instrument.ccxt_rest.running import Running


@pytest.fixture(scope="module")
def venues() -> Iterator[Running]:
    """Both simulated venues."""
    with running() as made:
        yield made


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """A configured bot's, in real time; nothing is instrumented yet."""
    with capture(real_time=True) as captured:
        ot.configure(instrument="none", banner=False)
        yield captured


@pytest.fixture
def instrumented(telemetry: Captured) -> Iterator[Captured]:
    """The same, with ccxt instrumented."""
    CcxtInstrumentor().instrument()
    yield telemetry
    CcxtInstrumentor().uninstrument()
