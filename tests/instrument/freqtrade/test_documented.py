from __future__ import annotations

from otel_trading.testing import capture
from tests.instrument.documented import run_examples


def test_examples_run() -> None:
    """The page's examples run."""
    with capture():
        names = run_examples("freqtrade.md")
    assert names["MyStrategy"].__mro__[1].__name__ == "TelemetryMixin"
