from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

BOT = """
import os, threading, time
import otel_trading as ot
from otel_trading.metrics.events import EventID, MetricsCollector, measure

telemetry = ot.configure(ops_enabled=False, banner=False, event_sampling_threshold=0)
decide = telemetry.timer("bot.decide", budget=ot.ms(1))
frames = telemetry.meter.create_counter("bot.frames").bind({"venue": "binance"})
done = threading.Event()
counted = []

def trade():
    mine = 0
    while not done.is_set():
        with decide.time(), measure(EventID.ORDER_FILL):
            frames.add(1)
        mine += 1
    counted.append(mine)

def in_child():
    for seconds in (0.002, 0.003):
        decide.record(seconds)
    with measure(EventID.ORDER_FILL):
        frames.add(5)
    time.sleep(0.3)
    stats = decide.stats(window=5)
    fills = MetricsCollector().get_statistics()["ORDER_FILL"]["count"]
    threads = {thread.name for thread in threading.enumerate()}
    return (stats.count, stats.violations, frames.value, fills, "otel-pump" in threads)

threads = [threading.Thread(target=trade) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(5):
    time.sleep(0.1)
    child = os.fork()
    if child == 0:
        try:
            print(*in_child(), flush=True)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
done.set()
for thread in threads:
    thread.join()
print("parent", frames.value == sum(counted) == decide.stats().count)
"""


def test_a_child_measures_from_zero_and_the_parent_loses_nothing(
    bot: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Forked while three threads measure, each child has timers, counters and events of its own, and none hangs."""
    exporters = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    run = bot(BOT, **exporters)
    assert run.stdout.splitlines() == [*["2 2 5 1 True"] * 5, "parent True"], run.stderr
