"""The case that the conformance suite is given does what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.instrument.ccxt_streams.case import case

if TYPE_CHECKING:
    from otel_trading.testing import Captured


def test_work_and_failures_are_counted(native: Captured) -> None:
    """Exactly."""
    with case() as each:
        each.work(20)
        assert each.counted(native) == 20
        each.work(5)
        assert each.counted(native) == 25
        with pytest.raises(each.error):
            each.fail()
        assert each.failures(native) == 1
