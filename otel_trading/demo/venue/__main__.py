"""The venues as a process of their own: ``python -m otel_trading.demo.venue``."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.demo.venue.generated import GeneratedMarket
from otel_trading.demo.venue.recording import RecordedMarket
from otel_trading.demo.venue.venues import Venues

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.demo.venue.market import MarketSource, VenueName

_PARENT_CHECK_SECONDS = 0.5


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve both venues until the parent process goes away or a signal ends it."""
    options = _parser().parse_args(arguments)
    if (options.spot is None) != (options.perp is None):
        _parser().error("--spot and --perp go together: give both recordings or neither")
    asyncio.run(_serve(options))


async def _serve(options: argparse.Namespace) -> None:
    source: MarketSource
    source = RecordedMarket(options.spot, options.perp) if options.spot else GeneratedMarket(options.seed)
    over = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    ports: dict[VenueName, int] = {"spot": options.spot_port, "perp": options.perp_port}
    async with Venues(source, speed=options.speed, seed=options.seed, ports=ports) as venues:
        print(json.dumps(venues.urls), flush=True)  # noqa: T201 - the parent waits for this line
        watch = None if options.parent is None else loop.create_task(_watch_parent(options.parent, over))
        await over.wait()
        if watch is not None:
            watch.cancel()


async def _watch_parent(parent: int, over: asyncio.Event) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while os.getppid() == parent and not reader.at_eof():
        try:
            async with asyncio.timeout(_PARENT_CHECK_SECONDS):
                await reader.read(1)
        except TimeoutError:
            continue
    transport.close()
    over.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m otel_trading.demo.venue", description=main.__doc__)
    parser.add_argument("--spot", type=Path, help="spot recording; without one the market is generated")
    parser.add_argument("--perp", type=Path, help="perpetual recording of the same time")
    parser.add_argument("--speed", type=_speed, default=1.0, help="multiple of the market's own pace, or max")
    parser.add_argument("--seed", type=int, default=1, help="of the generated market and of latencies")
    parser.add_argument("--spot-port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--perp-port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--parent", type=int, help="end when this process, whose pipe standard input is, goes away")
    return parser


def _speed(text: str) -> float | None:
    if text == "max":
        return None
    speed = float(text)
    if speed <= 0:
        raise argparse.ArgumentTypeError("the speed is a positive number or max")
    return speed


if __name__ == "__main__":
    main()
