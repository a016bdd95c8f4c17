from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel_trading.testing import Captured, capture
from otel_trading_pytest import pytest_configure

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["pytest_configure"]


@pytest.fixture(params=["sdk", "native"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine in turn."""
    return str(request.param)


@pytest.fixture
def telemetry(request: pytest.FixtureRequest, engine: str) -> Iterator[Captured]:
    """The plugin's fixture on each engine in turn."""
    marker = request.node.get_closest_marker("telemetry")
    with capture(**{"engine": engine, **(marker.kwargs if marker else {})}) as captured:
        yield captured
