"""The pytest plugin of otel_trading: a fixture ``telemetry`` and a marker of the same name for its options.

A package of its own, because every pytest run imports it: of the kit nothing is imported until a test asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured

_MARKER = (
    "telemetry(engine=None, start=..., real_time=False, deterministic_ids=False, log_level='INFO'): "
    "options of the fixture telemetry"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARKER)


@pytest.fixture
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """Everything the bot measures, logs and traces during the test, and a clock that the test moves."""
    from otel_trading.testing import capture

    marker = request.node.get_closest_marker("telemetry")
    with capture(**(marker.kwargs if marker else {})) as captured:
        yield captured
