"""50,000 log records a second out of one asyncio process: a real Collector takes every one that the bot logged."""

from __future__ import annotations

import pytest

from tests.stack.rates import all_taken

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


@pytest.mark.usefixtures("backends")
def test_none_of_fifty_thousand_records_a_second_is_lost() -> None:
    """The rate is that of the machine; the count is exact, by the bot and by the receiver."""
    told = all_taken(BOT, "log_records")
    print(f"{told['rate']:,.0f} records a second, {told['made']:,} records, {told['cpu']:.0%} CPU")  # noqa: T201 - with -s
