"""The documentation of prediction markets."""

from __future__ import annotations

import re
from pathlib import Path

from otel_trading.demo.prediction.faults import ALLOWED
from otel_trading.instrument.ccxt.settlements import TIMEOUT
from otel_trading.testing import capture

PAGE = (Path(__file__).parents[3] / "docs" / "prediction-markets.md").read_text("utf-8")


def test_the_examples_run_one_after_the_other() -> None:
    """With what the ones before made."""
    examples = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(examples) == 2
    names: dict[str, object] = {}
    with capture(real_time=True):
        for source in examples:
            exec(source, names)  # noqa: S102 - what users are told to write


def test_the_page_names_every_fault_and_the_limit() -> None:
    """As the code has them."""
    for fault in re.findall(r"[a-z_]+", ALLOWED.partition(";")[0]):
        if "_" in fault or fault in {"disconnect", "silent", "malformed", "reject", "unavailable", "unsettled"}:
            assert f"`{fault}" in PAGE
    assert f"{TIMEOUT:.0f} s" in PAGE
