"""As many spans as a bot makes in a day, through the whole provider and out: nothing grows, nothing is left behind."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from otel_trading.bench.sink import sink
from tests.tracing.day import NEVER_ENDED

MILLION = 1_000_000
GROWTH = 48 << 20
"""Bytes that a process may grow by after its first fifth, ten a span: those that wait are now more, now fewer."""


@pytest.mark.parametrize(
    "spans",
    [
        pytest.param(5 * MILLION, id="short"),
        pytest.param(86_400_000, id="day", marks=[pytest.mark.soak, pytest.mark.timeout(7_200)]),
    ],
)
def test_a_day_of_spans(spans: int) -> None:
    """Ids are unique, memory stays what it was, every span is accounted for, and none is open that nobody holds."""
    with sink() as url:
        run = subprocess.run(
            [sys.executable, "-m", "tests.tracing.day", url, str(spans)],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    memory = [each >> 20 for each in told["memory"]]
    print(f"{told['made']:,} spans in {told['took']:.0f} s, memory in MiB: {memory}")  # noqa: T201 - for those who ask: -s
    settled = told["memory"][4]
    assert max(told["memory"][4:]) - settled < GROWTH
    assert told["different_ids"] == told["ids"] > MILLION
    assert told["open"] == ["session"]
    counts = told["counts"]
    assert told["made"] == counts["started"] > 0.99 * spans
    ended = sum(counts["kept"].values()) + sum(counts["dropped"].values())
    shown = counts["kept"]["marked"] - 1  # the session alone is marked, and shown while it runs
    assert ended - shown == told["made"] - told["turns"] * len(NEVER_ENDED)
    assert (counts["pending"], counts["waiting"], counts["failed_hooks"]) == (0, 0, 0)
    assert told["sent"] + sum(told["lost"].values()) == ended - counts["dropped"]["sampled_out"]
    assert counts["kept"]["failed"] > 0
