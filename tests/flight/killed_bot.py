"""A bot that records and delivers until it is killed, and says in shared memory how far it came."""

from __future__ import annotations

import mmap
import sys
import threading
from pathlib import Path

from otel_trading import _native
from otel_trading.tracing.native import NativeTracerProvider

EACH = 50
"""Ticks between two deliveries."""


def main(folder: str, counters: str) -> None:
    provider = NativeTracerProvider()
    provider.record(Path(folder), size=1 << 21, service="killed")
    tracer = provider.get_tracer("bot", "1.2")
    with Path(counters).open("r+b") as file:
        progress = memoryview(mmap.mmap(file.fileno(), 16)).cast("Q")
    pump = _native.Pump()
    pump.set_interval(0.001)
    pump.add_traces(provider.core)
    threading.Thread(target=_pump, args=(pump,), daemon=True).start()
    tick = 0
    while True:
        attributes: dict[str, int | float | str] = {"tick": tick, "half": tick / 2, "text": str(tick) * (tick % 7)}
        with (
            tracer.start_as_current_span("tick", attributes=attributes),
            tracer.start_as_current_span("order") as order,
        ):
            order.set_attribute("tick", tick)
        tick += 1
        progress[0] = tick
        if tick % EACH == 0:
            _deliver(provider, progress, tick)


def _deliver(provider: NativeTracerProvider, progress: memoryview, tick: int) -> None:
    provider.core.flush()
    batches = []
    while (batch := provider.core.take(rest=True)) is not None:
        batches.append(batch)
    progress[1] = tick
    for batch in batches:
        provider.core.settled(batch)


def _pump(pump: _native.Pump) -> None:
    while True:
        pump.run(1.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
