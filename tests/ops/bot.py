"""A bot for tests: says where it is found, trades nothing, and says at its end how late its loop ever was.

It reads commands: ``block SECONDS`` has its loop stuck, ``memory`` prints its resident bytes, ``end`` ends it.
"""

from __future__ import annotations

# ruff: noqa: T201 - read by tests
import asyncio
import sys
import time

import psutil

import otel_trading as ot


async def main() -> None:
    telemetry = ot.configure(
        service_name="a-bot",
        traces_exporter="none",
        metrics_exporter="none",
        logs_exporter="none",
        ops_port=0,
        banner=False,
    )
    assert telemetry.ops is not None
    print(telemetry.ops.url, flush=True)
    loop = asyncio.get_running_loop()
    late = 0.0
    ticks = 0

    async def tick() -> None:
        nonlocal late, ticks
        while True:
            due = time.monotonic() + 0.01
            await asyncio.sleep(0.01)
            late = max(late, time.monotonic() - due)
            ticks += 1

    ticking = asyncio.create_task(tick())
    while (command := (await loop.run_in_executor(None, sys.stdin.readline)).split()) and command[0] != "end":
        if command[0] == "block":
            print("blocking", flush=True)
            time.sleep(float(command[1]))  # noqa: ASYNC251 - what such bots do
        if command[0] == "memory":
            print(psutil.Process().memory_info().rss, flush=True)
        if command[0] == "descriptors":
            print(psutil.Process().num_fds(), flush=True)
    ticking.cancel()
    telemetry.shutdown()
    print(f"{late} {ticks}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
