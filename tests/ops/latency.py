"""What the ops server answers in, and what that costs the bot; ``python -m tests.ops.latency`` prints it."""

# ruff: noqa: T201 - it prints

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import psutil

from tests.ops.processes import BotProcess, running

_TIMES = 200


def measured(bot: BotProcess, path: str, times: int = _TIMES, *, pause: float = 0.0) -> list[float]:
    """Milliseconds of each request."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        assert bot.get(path).status == 200
        found.append((time.perf_counter() - began) * 1e3)
        time.sleep(pause)
    return found


def told(name: str, found: list[float]) -> None:
    cuts = statistics.quantiles(found, n=100)
    print(f"{name:<34} median {cuts[49]:6.2f} ms   99th percentile {cuts[98]:6.2f} ms   worst {max(found):6.2f} ms")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), OTEL_TRADING_OPS_RATE_LIMIT="0") as bot:
        for path in ("/health", "/metrics", "/status"):
            measured(bot, path, 20)
        process = psutil.Process(bot.process.pid)
        for path in ("/health", "/health/detailed", "/metrics", "/status"):
            before = sum(process.cpu_times()[:2])
            found = measured(bot, path)
            cost = (sum(process.cpu_times()[:2]) - before) / _TIMES * 1e3
            told(path, found)
            print(f"{'':<34} CPU of the bot {cost:.2f} ms a request, {len(bot.get(path).data):,} bytes")
        began = time.monotonic()
        assert bot.tell("block 10") == "blocking"
        found = measured(bot, "/health", _TIMES, pause=0.03)
        assert time.monotonic() - began < 10, "this machine is too busy to measure"
        told("/health, the bot's loop stuck", found)


if __name__ == "__main__":
    main()
