"""What only shows after a long time: ``make soak``."""

from __future__ import annotations

import pytest

from tests.export.compared import Fault, run


@pytest.mark.soak
def test_ten_minutes_without_a_receiver() -> None:
    """500 spans, 100 log records and 2,000 metric calls a second: nothing is lost, and memory stays where it is."""
    result = run("ours", Fault("ten minutes", "refuse", until=10 / 11), 660.0)
    assert (result.lost_spans, result.lost_logs, result.lost_counts) == (0.0, 0.0, 0.0), result
    assert result.mb < 48
