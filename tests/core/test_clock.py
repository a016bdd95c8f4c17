from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from otel_trading._native import Clock, monotonic_ns, wall_ns

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.otlp_receiver import OtlpReceiver

Bot = Callable[..., subprocess.CompletedProcess[str]]


def test_clock_agrees_with_the_wall_clock() -> None:
    """now_ns() is Unix time in nanoseconds."""
    assert Clock().now_ns() == pytest.approx(time.time_ns(), abs=5_000_000)
    assert wall_ns() == pytest.approx(time.time_ns(), abs=5_000_000)


def test_clock_advances_with_the_monotonic_clock() -> None:
    """Two readings differ by what the monotonic clock says, whatever the wall clock does."""
    clock = Clock()
    before, start = clock.now_ns(), monotonic_ns()
    time.sleep(0.01)
    after, end = clock.now_ns(), monotonic_ns()
    assert after - before == pytest.approx(end - start, abs=1_000_000)


def test_clock_without_a_step_has_nothing_to_follow() -> None:
    """resync() returns 0 as long as the wall clock was not stepped."""
    assert Clock().resync() == 0


STEPPED = """
import ctypes, logging, os, time
import otel_trading as ot

library, ahead = ctypes.CDLL(os.environ["LD_PRELOAD"]), int(os.environ["AHEAD"])
telemetry = ot.configure(banner=False, shutdown_timeout=60, gauge_ttl=30, traces_retention="all")
counter = telemetry.meter.create_counter("bot.frames")
gauge = telemetry.meter.create_gauge("bot.level")
timer = telemetry.timer("bot.decide")

def work(name):
    counter.add(1)
    gauge.set(1)
    logging.getLogger("bot").error(name)
    with timer.time(), telemetry.tracer.start_as_current_span(name):
        pass

work("before")
with telemetry.tracer.start_as_current_span("across"), timer.time():
    library.set_ahead(ctypes.c_long(ahead))
    work("after")
print(telemetry.flush(50))
work("later")
library.set_ahead(ctypes.c_long(0))
work("back")
print(telemetry.shutdown(50))
"""


@pytest.mark.parametrize("engine", ["native", "sdk"])
@pytest.mark.parametrize("ahead", [3_600, -3_600])
def test_a_clock_that_is_set_costs_nothing(
    bot: Bot, receiver: OtlpReceiver, settable_clock: Path, ahead: int, engine: str
) -> None:
    """An hour to either side: all three signals arrive, nothing is too old or too young, no deadline has passed."""
    variables = {"LD_PRELOAD": str(settable_clock), "AHEAD": str(ahead), "OTEL_TRADING_ENGINE": engine}
    run = bot(STEPPED, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **variables)
    assert run.stdout == "True\nTrue\n", run.stderr
    names = ["across", "after", "back", "before", "later"]
    assert sorted(span.name for span in receiver.spans) == names
    assert sorted(record.body.string_value for record in receiver.logs) == names[1:]
    assert receiver.metrics("bot.frames")[-1].sum.data_points[0].as_int == 4
    assert receiver.metrics("bot.level")[-1].gauge.data_points
    (point,) = receiver.metrics("bot.decide")[-1].exponential_histogram.data_points
    assert (point.count, 0 <= point.sum < 60) == (5, True)
    if engine == "native":
        assert all(0 <= span.end_time_unix_nano - span.start_time_unix_nano < 60e9 for span in receiver.spans)
