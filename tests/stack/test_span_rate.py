"""50,000 spans a second out of one asyncio process: every one that the bot made is taken by a real Collector."""

from __future__ import annotations

import pytest

from tests.stack.rates import all_taken

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


@pytest.mark.usefixtures("backends")
def test_none_of_fifty_thousand_spans_a_second_is_lost() -> None:
    """The rate is that of the machine; the count is exact, by the bot and by the receiver."""
    told = all_taken(BOT, "spans")
    print(f"{told['rate']:,.0f} spans a second, {told['made']:,} spans")  # noqa: T201 - what was achieved, with -s
