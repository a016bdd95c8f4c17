"""The recordings through the demo's venues, with faults switched on: the alerts that have to be, and no others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from otel_trading.demo.venue import GeneratedMarket, Venues
from otel_trading.demo.venue.recording import RecordedMarket
from otel_trading.testing import capture
from tests.alerts.watched import Kept
from tests.demo.bots import trading, until
from tests.demo.venue.venue_clients import recordings

if TYPE_CHECKING:
    from otel_trading.testing import Captured

RULES = {"approaching_limits": False, "limit_breach": False}
"""The demo's bot goes to its limits on purpose."""


def watched(captured: Captured) -> Kept:
    """The process's own manager, which is asked by hand."""
    alerts, outbox = captured.handle.alerts, Kept()
    alerts.outbox = outbox
    alerts._kinds = {"chat": "slack"}
    return outbox


def rules(outbox: Kept) -> set[tuple[str, str]]:
    return {
        (alert.rule, alert.subject.split()[0] if alert.subject else "")
        for notification in outbox.posted
        for alert in (notification.alert, *notification.others)
        if alert.rule not in RULES
    }


async def look_until(captured: Captured, outbox: Kept, *wanted: tuple[str, str], within: float = 30.0) -> None:
    """Look twice a second, as the ops thread does, until these have been told."""

    def told() -> bool:
        captured.handle.alerts.look()
        return set(wanted) <= rules(outbox)

    await until(told, within)


async def test_the_recordings_alone_raise_nothing() -> None:
    """A quiet market and venues that work: nobody is told of anything."""
    with capture(real_time=True) as captured:
        outbox = watched(captured)
        async with (
            Venues(RecordedMarket(**recordings()), speed=20.0) as venues,
            trading(venues, telemetry=captured) as (_, tally),
        ):
            await until(lambda: tally.feeds["perp"].frames.total() > 500)
            captured.handle.alerts.look()
            assert rules(outbox) == set()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("disconnect:perp:2s", {("exchange_disconnect", "binanceusdm")}),
        ("silent:spot:20s", {("stale_data", "binance")}),
        ("reject:spot:1", {("order_rejected", "binance")}),
    ],
)
async def test_a_fault_raises_its_alert(fault: str, expected: set[tuple[str, str]]) -> None:
    """Of the venue that has it, and nothing else."""
    with capture(real_time=True) as captured:
        outbox = watched(captured)
        for feed in captured.trading.feeds:
            feed.threshold = 3.0
        captured.trading.feeds.stale_after = 3.0
        market = GeneratedMarket(1) if fault.startswith("reject") else RecordedMarket(**recordings())
        async with (
            Venues(market, speed=2.0) as venues,
            trading(venues, telemetry=captured) as (_, tally),
        ):
            await until(lambda: min(feed.frames.total() for feed in tally.feeds.values()) > 20)
            captured.handle.alerts.look()
            before = rules(outbox)
            await venues.switch_on(fault)
            await look_until(captured, outbox, *expected)
            found = rules(outbox) - before
            assert found == expected
            if fault.startswith("disconnect"):
                await until(lambda: tally.feeds["perp"].connected)
                await _over(captured, outbox)


async def _over(captured: Captured, outbox: Kept) -> None:
    deadline = asyncio.get_running_loop().time() + 20
    while "resolved" not in {each.kind for each in outbox.posted}:
        captured.handle.alerts.look()
        assert asyncio.get_running_loop().time() < deadline
        await asyncio.sleep(0.1)
