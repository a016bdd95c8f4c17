"""Faults: how they are written, and what a real ccxt client sees of each."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import ccxt
import pytest

from otel_trading.demo.venue import Fault, FaultError, GeneratedMarket, VenueProcess, Venues
from otel_trading.demo.venue.faults import ALLOWED, Faults
from tests.demo.venue.venue_clients import Watcher, settled, until, watching


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("disconnect:spot", Fault("disconnect", "spot")),
        ("disconnect:perp:3s", Fault("disconnect", "perp", duration=3.0)),
        ("silent:perp:10s", Fault("silent", "perp", duration=10.0)),
        ("malformed:spot", Fault("malformed", "spot")),
        ("slow_ack:spot:900ms:30s", Fault("slow_ack", "spot", 0.9, duration=30.0)),
        ("reject:spot:0.5", Fault("reject", "spot", 0.5)),
        ("reject:perp:1@-2019:2m", Fault("reject", "perp", 1.0, -2019, 120.0)),
        ("clock_skew:perp:-1270ms", Fault("clock_skew", "perp", -1.27)),
    ],
)
def test_a_fault_is_read(text: str, fault: Fault) -> None:
    """And what it writes of itself is read back the same."""
    assert Fault.parse(text) == fault
    assert Fault.parse(str(fault)) == fault


@pytest.mark.parametrize(
    "text",
    ["", "silent", "silent:kraken", "noise:spot", "slow_ack:spot", "slow_ack:spot:-5ms", "slow_ack:spot:fast",
     "reject:spot:1.5", "reject:spot:0.5@many", "silent:perp:10", "silent:perp:0s", "silent:perp:1s:2s",
     "clock_skew:perp"],
)  # fmt: skip
def test_an_unreadable_fault_names_what_is_allowed(text: str) -> None:
    """One message with the text and every form."""
    with pytest.raises(FaultError) as error:
        Fault.parse(text)
    assert str(error.value) == f"cannot read the fault {text!r}; allowed are {ALLOWED}"


def test_a_fault_ends_at_its_time() -> None:
    """A fault without a duration lasts until it is switched off."""
    now = 100.0
    faults = Faults(lambda: now)
    faults.switch_on(Fault.parse("silent:spot:5s"))
    faults.switch_on(Fault.parse("slow_ack:spot:1s"))
    now = 104.9
    assert [fault.kind for fault in faults.active()] == ["silent", "slow_ack"]
    now = 105.0
    assert [fault.kind for fault in faults.active()] == ["slow_ack"]
    faults.switch_off("slow_ack")
    assert faults.active() == []


async def test_disconnect_cuts_the_sockets_and_clients_come_back() -> None:
    """Watch calls raise a network error, the next ones reconnect and the book syncs anew."""
    async with Venues(GeneratedMarket(1), speed=5.0) as venues, watching(venues) as (spot, perp):
        await until(lambda: spot.frames.total() > 50)
        await venues.switch_on("disconnect:spot")
        await until(lambda: len(spot.errors) >= 3)
        assert all(isinstance(error, ccxt.NetworkError) for error in spot.errors)
        assert not perp.errors
        quotes, books = len(spot.seen["quotes"]), len(spot.seen["book"])
        await until(lambda: len(spot.seen["quotes"]) > quotes + 5 and len(spot.seen["book"]) > books + 5)


@pytest.mark.parametrize("venue", ["spot", "perp"])
async def test_user_data_comes_back_after_a_disconnect(venue: Any) -> None:
    """The next watch call subscribes again, and later orders are reported."""
    async with Venues(GeneratedMarket(1)) as venues, Watcher(venue, venues.urls[venue]) as watcher:
        users = venues.venues[venue].users
        watcher.watch("orders", lambda: watcher.client.watch_orders(watcher.symbol))
        await until(lambda: users.subscribers == 1)
        await venues.switch_on(f"disconnect:{venue}")
        await until(lambda: bool(watcher.errors) and users.subscribers == 1)
        order = await watcher.client.create_order(watcher.symbol, "limit", "buy", 0.01, 40_000)
        await until(lambda: any(order["id"] == seen["id"] for batch in watcher.seen["orders"] for seen in batch))


async def test_a_lasting_disconnect_refuses_new_connections() -> None:
    """Until its time is over nobody gets in."""
    async with Venues(GeneratedMarket(1), speed=5.0) as venues, watching(venues) as (spot, _):
        await until(lambda: spot.frames.total() > 50)
        await venues.switch_on("disconnect:spot:3s")
        await until(lambda: any("503" in str(error) for error in spot.errors))
        quotes = len(spot.seen["quotes"])
        await until(lambda: len(spot.seen["quotes"]) > quotes + 5)


async def test_silence_keeps_the_socket_open() -> None:
    """No frame, no error, pings answered; afterwards the book has a gap, which ccxt notices and repairs."""
    async with Venues(GeneratedMarket(1), speed=2.0) as venues, watching(venues) as (spot, perp):
        await until(lambda: perp.frames.total() > 50)
        await venues.switch_on("silent:perp:4s")
        silent_from = await settled(perp.frames.total)  # what was under way still comes
        others = spot.frames.total()
        (connection,) = {id(client): client for client in perp.client.clients.values() if "/0" in client.url}.values()
        await connection.connection.ping()
        await until(lambda: spot.frames.total() > others + 20)
        assert perp.frames.total() == silent_from
        await until(lambda: connection.lastPong is not None)
        assert not perp.errors
        await until(lambda: bool(perp.errors))
        assert isinstance(perp.errors[0], ccxt.ChecksumError)
        books = len(perp.seen["book"])
        await until(lambda: len(perp.seen["book"]) > books + 3)
        assert (await venues.stats())["perp"]["silenced"]["bookTicker"] > 10


async def test_slow_acknowledgements() -> None:
    """The answer to an order comes that much later, on that venue only."""
    async with Venues(GeneratedMarket(1)) as venues, Watcher("spot", venues.spot_url) as spot:
        await venues.switch_on("slow_ack:spot:3s")
        started = time.perf_counter()
        await spot.client.create_order(spot.symbol, "limit", "buy", 0.01, 40_000)
        slow = time.perf_counter() - started
        assert slow > 3.0
        await venues.switch_off("spot", "slow_ack")
        started = time.perf_counter()
        await spot.client.create_order(spot.symbol, "limit", "buy", 0.01, 40_000)
        assert time.perf_counter() - started < slow


@pytest.mark.parametrize(
    ("venue", "text", "error"),
    [
        ("spot", "reject:spot:1", ccxt.InsufficientFunds),
        ("perp", "reject:perp:1", ccxt.InsufficientFunds),
        ("spot", "reject:spot:1@-1015", ccxt.RateLimitExceeded),
    ],
)
async def test_rejects(venue: Any, text: str, error: type[Exception]) -> None:
    """The share of orders is refused with the code asked for."""
    async with Venues(GeneratedMarket(1)) as venues, Watcher(venue, venues.urls[venue]) as watcher:
        await venues.switch_on(text)
        with pytest.raises(error):
            await watcher.client.create_order(watcher.symbol, "limit", "buy", 0.01, 40_000)
        assert (await venues.stats())[venue]["orders"] == {"placed": 1, "rejected": 1}


async def test_half_of_the_orders_rejected() -> None:
    """The fraction is met by a seeded draw."""
    async with Venues(GeneratedMarket(1)) as venues, Watcher("perp", venues.perp_url) as perp:
        await venues.switch_on("reject:perp:0.5")
        orders = (perp.client.create_order(perp.symbol, "limit", "buy", 0.01, 40_000) for _ in range(60))
        results = await asyncio.gather(*orders, return_exceptions=True)
        rejected = sum(isinstance(result, ccxt.InsufficientFunds) for result in results)
        assert 18 < rejected < 42
        await asyncio.sleep(0.2)


async def test_clock_skew_moves_event_times_and_the_servers_time() -> None:
    """Frames, server time and the check of timestamps all run on the moved clock."""
    async with Venues(GeneratedMarket(1)) as venues, watching(venues) as (_, perp):
        await venues.switch_on("clock_skew:perp:-30s")
        assert -30_500 < await perp.client.fetch_time() - perp.client.milliseconds() < -29_500
        await until(lambda: perp.frames["depth"] > 2)
        assert perp.client.orderbooks[perp.symbol]["timestamp"] - perp.client.milliseconds() < -29_500
        with pytest.raises(ccxt.InvalidNonce):
            await perp.client.create_order(perp.symbol, "limit", "buy", 0.01, 40_000)


async def test_faults_are_switched_over_the_wire_too() -> None:
    """The process of the venues takes the same commands and refuses the same texts."""
    async with VenueProcess() as venues:
        await venues.switch_on("silent:perp")
        await venues.switch_on(Fault("slow_ack", "spot", 0.9))
        stats = await venues.stats()
        assert (stats["perp"]["faults"], stats["spot"]["faults"]) == (["silent:perp"], ["slow_ack:spot:900ms"])
        await venues.switch_off("perp", "silent")
        await venues.switch_off()
        stats = await venues.stats()
        assert (stats["perp"]["faults"], stats["spot"]["faults"]) == ([], [])
        with pytest.raises(FaultError, match="allowed are"):
            await venues.switch_on("noise:spot")
