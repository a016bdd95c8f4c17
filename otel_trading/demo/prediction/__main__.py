"""Both venues from a terminal: ``python -m otel_trading.demo.prediction``."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.demo.prediction.generated import GeneratedMarkets
from otel_trading.demo.prediction.kalshi import PREFIX, Kalshi
from otel_trading.demo.prediction.polymarket import Polymarket
from otel_trading.demo.prediction.recorded import RecordedMarkets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.demo.prediction.polymarket import Source


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve both venues until a signal ends it; print as one line of JSON where they are and with which keys."""
    parser = argparse.ArgumentParser(prog="python -m otel_trading.demo.prediction", description=main.__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the generated markets")
    parser.add_argument("--recorded", type=Path, help="folder of recorded answers and messages of Polymarket")
    parser.add_argument("--kalshi-port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--polymarket-port", type=int, default=0, help="0 lets the system choose")
    asyncio.run(_serve(parser.parse_args(arguments)))


async def _serve(options: argparse.Namespace) -> None:
    source: Source = GeneratedMarkets(options.seed)
    if options.recorded is not None:
        source = RecordedMarkets(options.recorded, times=None)
    over, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    async with (
        Kalshi(GeneratedMarkets(options.seed).questions(), port=options.kalshi_port) as kalshi,
        Polymarket(source, port=options.polymarket_port) as polymarket,
    ):
        where = {
            "kalshi": {"url": f"{kalshi.url}{PREFIX}", "apiKey": kalshi.key_id, "privateKey": kalshi.key.pem},
            "polymarket": {
                "url": polymarket.url,
                "privateKey": polymarket.private_key,
                "walletAddress": polymarket.wallet,
            },
        }
        print(json.dumps(where), flush=True)  # noqa: T201 - what a terminal is for
        starting = asyncio.create_task(polymarket.start(None))
        await over.wait()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)


if __name__ == "__main__":
    main()
