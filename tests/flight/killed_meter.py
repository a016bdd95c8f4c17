"""A bot that measures until it is killed, and says in shared memory what is recorded and what was measured."""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

from otel_trading.metrics.native import NativeMeterProvider
from otel_trading.metrics.native.recorder import MeasurementRecorder

EACH = 40
"""Measurements between two ticks."""


def main(folder: str, counters: str) -> None:
    provider = NativeMeterProvider()
    recorder = MeasurementRecorder(provider)
    recorder.record(Path(folder), size=1 << 21, service="killed")
    meter = provider.get_meter("bot", "1.2")
    reader = provider.take_reader()
    orders = meter.create_counter("bot.orders", unit="{order}", description="What was sent.")
    ack = meter.create_histogram("bot.ack", unit="s")
    depth = meter.create_gauge("bot.depth")
    with Path(counters).open("r+b") as file:
        progress = memoryview(mmap.mmap(file.fileno(), 16)).cast("Q")
    number = 0
    while True:
        number += 1
        progress[1] = number
        orders.add(1, {"venue": "kraken"})
        ack.record(number / 1_000, {"venue": "kraken"})
        depth.set(number)
        if number % 7 == 0:
            meter.create_counter(f"bot.late.{number % 700}").add(0.5)
        if number % EACH == 0:
            recorder.core.tick()
            progress[0] = number
        if number % 1_000 == 0:
            mark = recorder.mark()
            reader.collect()
            recorder.settled(mark)


if __name__ == "__main__":
    main(*sys.argv[1:])
