"""Captured telemetry, and the trading events of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured


@pytest.fixture(params=["native", "sdk"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """Captured, on each engine."""
    with capture(engine=request.param) as captured:
        yield captured


@pytest.fixture
def trading(telemetry: Captured) -> Any:
    """Where the bot says what happens."""
    return telemetry.trading
