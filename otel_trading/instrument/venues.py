"""Which venue a host belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VENUES: dict[str, str] = {
    "binance.com": "binance",
    "binance.us": "binanceus",
    "binance.vision": "binance",
    "bitfinex.com": "bitfinex",
    "bitget.com": "bitget",
    "bitmex.com": "bitmex",
    "bitstamp.net": "bitstamp",
    "bybit.com": "bybit",
    "coinbase.com": "coinbase",
    "crypto.com": "cryptocom",
    "deribit.com": "deribit",
    "dydx.trade": "dydx",
    "gateio.ws": "gate",
    "gemini.com": "gemini",
    "htx.com": "htx",
    "hyperliquid.xyz": "hyperliquid",
    "kalshi.com": "kalshi",
    "elections.kalshi.com": "kalshi",
    "kraken.com": "kraken",
    "kucoin.com": "kucoin",
    "mexc.com": "mexc",
    "okx.com": "okx",
    "polymarket.com": "polymarket",
}
"""By domain; names are ccxt's."""


def venue_of(host: str | None, named: Mapping[str, str] | None = None) -> str:
    """The venue behind a host: as the settings name it, as it is known, or the host itself.

    >>> venue_of("stream.binance.com"), venue_of("feed.desk.example", {"desk.example": "desk"}), venue_of("10.0.0.5")
    ('binance', 'desk', '10.0.0.5')
    """
    if not host:
        return "unknown"
    parts = host.lower().rstrip(".").split(".")
    for table in (named or {}, VENUES):
        for first in range(len(parts)):
            found = table.get(".".join(parts[first:]))
            if found is not None:
                return found
    return ".".join(parts)
