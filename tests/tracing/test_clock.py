from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.tracing.deviations import deviates

if TYPE_CHECKING:
    from pathlib import Path

    from tests.tracing.engines import Name

HOUR = 3_600
NANOSECONDS = 10**9

STEPS = """
import ctypes, json, sys, time
from tests.tracing.engines import Bench

engine, library, ahead = sys.argv[1], ctypes.CDLL(sys.argv[2]), int(sys.argv[3])
made = Bench(engine)
before = time.time()
with made.tracer.start_as_current_span("outer") as span:
    with made.tracer.start_as_current_span("across"):
        library.set_ahead(ctypes.c_long(ahead))
    span.add_event("later")
    with made.tracer.start_as_current_span("inner"):
        pass
stepped = time.time() - before
fields = {name: (found.start, found.end) for name, found in made.named().items()}
print(json.dumps({"stepped": stepped, "event": made.named()["outer"].event.time, **fields}))
"""


@pytest.mark.parametrize("ahead", [HOUR, -HOUR, 1, -1])
def test_durations_do_not_follow_the_wall_clock(engine: Name, settable_clock: Path, ahead: int) -> None:
    """When it is set while spans are open they are as long as they were, and children and events stay inside."""
    done = subprocess.run(
        [sys.executable, "-c", STEPS, engine, settable_clock, str(ahead)],
        env={**os.environ, "LD_PRELOAD": str(settable_clock), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert abs(found["stepped"] - ahead) < 0.5
    lengths = {name: (found[name][1] - found[name][0]) / NANOSECONDS for name in ("outer", "across", "inner")}
    if not deviates(engine, "stepping clocks"):
        assert abs(lengths["across"] - ahead) < 0.5
        assert abs(lengths["outer"] - ahead) < 0.5
        return
    assert all(0 <= length < 0.5 for length in lengths.values())
    start, end = found["outer"]
    assert start <= found["across"][0] <= found["across"][1] <= found["event"] <= end
    assert found["event"] <= found["inner"][0] <= found["inner"][1] <= end
