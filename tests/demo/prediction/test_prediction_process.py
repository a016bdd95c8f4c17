"""The venues from a terminal."""

from __future__ import annotations

import asyncio
import json
import signal
import sys

import ccxt.prediction


async def test_the_venues_are_served_until_they_are_interrupted() -> None:
    """Where, and with which keys, is printed; a client that knows no more than that can trade."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "otel_trading.demo.prediction"), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        where = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))["kalshi"]
        url = where.pop("url")
        client = ccxt.prediction.kalshi({**where, "enableRateLimit": False})
        client.urls["api"] = {"kalshi": url}
        try:
            assert (await client.fetch_balance())["USD"]["total"] == 1000
        finally:
            await client.close()
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
