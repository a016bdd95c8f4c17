"""50,000 spans a second out of one asyncio process: every one that the bot made is taken by a real Collector."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import requests

from otel_trading.bench.sink import collector, free_port
from otel_trading.stack.binaries import find_binary
from tests.environment import bare
from tests.stack.sending import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.stack

SECONDS = 10
BOT = f"""
import asyncio, json, sys, time
import otel_trading as ot

telemetry = ot.configure(
    service_name="rate", endpoint=sys.argv[1], traces_retention="all", metrics_exporter="none", logs_exporter="none",
    banner=False, ops_enabled=False, runtime_enabled=False, flight_size=1 << 24, span_queue_size=1_000_000,
)
tracer = telemetry.tracer
attributes = {{"trading.venue.name": "binance", "trading.instrument.symbol": "BTC/USDT"}}

async def main():
    made, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < {SECONDS}:
        due = min(int(elapsed * 50_000) - made, 500)        # what a busy machine did not let it make is not made up for
        for _ in range(due):
            with tracer.start_as_current_span("tick", attributes=attributes):
                pass
        made += due
        await asyncio.sleep(0.001)
    return made, made / elapsed

made, rate = asyncio.run(main())
telemetry.shutdown(60)
account = telemetry.status().signals["traces"]
print(json.dumps({{
    "made": made, "rate": rate, "emitted": account.emitted, "sent": account.sent, "dropped": dict(account.dropped)
}}))
"""


@pytest.fixture
def counting(backends: None) -> Iterator[tuple[str, str]]:
    """A Collector that has nothing to do but to take spans in, and the address where it says how many."""
    binary = find_binary("collector")
    assert binary is not None
    port = free_port()
    with collector(binary, counts_port=port) as url:
        yield url, f"http://127.0.0.1:{port}/metrics"


def accepted(url: str) -> int:
    """How many spans a Collector took."""
    found = re.findall(
        r"^otelcol_receiver_accepted_spans_total\{.*\} (\S+)$", requests.get(url, timeout=10).text, re.MULTILINE
    )
    return sum(int(float(count)) for count in found)


def test_none_of_fifty_thousand_spans_a_second_is_lost(counting: tuple[str, str]) -> None:
    """The rate is that of the machine; the count is exact, by the bot and by the receiver."""
    endpoint, counts = counting
    run = subprocess.run(
        [sys.executable, "-c", BOT, endpoint], env=bare(), capture_output=True, text=True, timeout=200, check=False
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    print(f"{told['rate']:,.0f} spans a second, {told['made']:,} spans")  # noqa: T201 - what was achieved, with -s
    assert told["made"] > 0
    assert told["dropped"] == {}
    assert told["made"] == told["emitted"] == told["sent"]
    eventually(lambda: accepted(counts) >= told["made"])
    assert accepted(counts) == told["made"]
