"""50,000 log records a second out of one asyncio process: a real Collector takes every one that the bot logged."""

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
    service_name="rate", endpoint=sys.argv[1], traces_exporter="none", metrics_exporter="none",
    banner=False, ops_enabled=False, runtime_enabled=False, flight_size=1 << 24,
)
log = telemetry.log("order_router")

async def main():
    made, started, cpu = 0, time.perf_counter(), time.process_time()
    while (elapsed := time.perf_counter() - started) < {SECONDS}:
        due = min(int(elapsed * 50_000) - made, 500)        # what a busy machine did not let it make is not made up for
        for _ in range(due):
            log.info("order sent", venue="kraken", symbol="BTC/USDT", side="buy", price=64123.5, quantity=0.25)
        made += due
        await asyncio.sleep(0.001)
    return made, made / elapsed, (time.process_time() - cpu) / elapsed

made, rate, cpu = asyncio.run(main())
telemetry.shutdown(60)
account = telemetry.status().signals["logs"]
print(json.dumps({{
    "made": made, "rate": rate, "cpu": cpu, "emitted": account.emitted, "sent": account.sent,
    "dropped": dict(account.dropped)
}}))
"""


@pytest.fixture
def counting(backends: None) -> Iterator[tuple[str, str]]:
    """A Collector that has nothing to do but to take records in, and the address where it says how many."""
    binary = find_binary("collector")
    assert binary is not None
    port = free_port()
    with collector(binary, counts_port=port) as url:
        yield url, f"http://127.0.0.1:{port}/metrics"


def accepted(url: str) -> int:
    """How many records a Collector took."""
    found = re.findall(
        r"^otelcol_receiver_accepted_log_records_total\{.*\} (\S+)$", requests.get(url, timeout=10).text, re.MULTILINE
    )
    return sum(int(float(count)) for count in found)


def test_none_of_fifty_thousand_records_a_second_is_lost(counting: tuple[str, str]) -> None:
    """The rate is that of the machine; the count is exact, by the bot and by the receiver."""
    endpoint, counts = counting
    run = subprocess.run(
        [sys.executable, "-c", BOT, endpoint], env=bare(), capture_output=True, text=True, timeout=200, check=False
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    print(f"{told['rate']:,.0f} records a second, {told['made']:,} records, {told['cpu']:.0%} CPU")  # noqa: T201 - with -s
    assert told["made"] > 0
    assert told["dropped"] == {}
    assert told["made"] == told["emitted"] == told["sent"]
    eventually(lambda: accepted(counts) >= told["made"])
    assert accepted(counts) == told["made"]
