"""The clients the factory makes: real ccxt.pro classes that talk to the venue only."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import ccxt.pro
import pytest

from otel_trading.demo.exchange import make_exchange
from otel_trading.demo.venue import GeneratedMarket, Venues
from otel_trading.extras import MissingExtraError
from tests.demo.venue.venue_clients import SYMBOLS, Watcher, until

if TYPE_CHECKING:
    from collections.abc import Iterator


def addresses(urls: dict[str, Any]) -> Iterator[str]:
    for value in urls.values():
        if isinstance(value, dict):
            yield from addresses(value)
        else:
            yield value


@pytest.mark.parametrize(("venue", "base"), [("spot", ccxt.pro.binance), ("perp", ccxt.pro.binanceusdm)])
async def test_clients_are_ccxt_pro_classes_that_know_no_other_address(venue: Any, base: type[Any]) -> None:
    """Whatever is called, nothing leaves loopback."""
    client = make_exchange(venue, "http://127.0.0.1:1/")
    assert isinstance(client, base)
    assert client.id == base().id
    assert all("://127.0.0.1:1/" in address for address in addresses(client.urls["api"]))
    await client.close()


@pytest.mark.parametrize("venue", ["spot", "perp"])
async def test_markets_are_loaded_from_the_venue(venue: Any) -> None:
    """One market with its precision, limits and fees."""
    async with Venues(GeneratedMarket(1)) as venues:
        client = make_exchange(venue, venues.urls[venue])
        try:
            markets = await client.load_markets()
            assert list(markets) == [SYMBOLS[venue]]
            market = markets[SYMBOLS[venue]]
            assert market["precision"]["price"] == (0.01 if venue == "spot" else 0.1)
            assert market["precision"]["amount"] == (0.00001 if venue == "spot" else 0.001)
            assert market["limits"]["cost"]["min"] == (5 if venue == "spot" else 100)
        finally:
            await client.close()


async def test_on_frame_sees_the_book_after_the_frame() -> None:
    """The callback comes once ccxt has applied the frame, so the bot can decide on it."""
    async with Venues(GeneratedMarket(1), speed=5.0) as venues, Watcher("perp", venues.perp_url) as perp:
        behind: list[Any] = []

        def look(stream: str, message: dict[str, Any]) -> None:
            if stream == "depth" and perp.client.orderbooks[perp.symbol]["nonce"] is not None:
                behind.append(perp.client.orderbooks[perp.symbol]["nonce"] - message["u"])

        perp.client.on_frame = look
        perp.watch("book", lambda: perp.client.watch_order_book(perp.symbol))
        await until(lambda: perp.symbol in perp.client.orderbooks)
        await venues.start(wait_for=[])
        await until(lambda: len(behind) > 30)
        assert set(behind) == {0}


def test_without_ccxt_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named in the command."""
    monkeypatch.setitem(sys.modules, "ccxt", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'otel-trading\[demo\]'"):
        make_exchange("spot", "http://127.0.0.1:1")
