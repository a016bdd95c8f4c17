"""Real ccxt.pro clients whose addresses lead to the simulated venues."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from otel_trading.extras import require

if TYPE_CHECKING:
    from collections.abc import Callable

Stream = Literal["bookTicker", "trade", "depth"]

_STREAM_OF_EVENT: dict[str | None, Stream] = {
    "bookTicker": "bookTicker",
    "trade": "trade",
    "depthUpdate": "depth",
}
_REAL_ADDRESS = {"spot": "https://api.binance.com/", "perp": "https://fapi.binance.com/"}


def make_exchange(
    venue: Literal["spot", "perp"],
    url: str,
    *,
    api_key: str = "paper-key",
    secret: str = "paper-secret",  # noqa: S107 - opens nothing but the simulated venues
    on_frame: Callable[[Stream, dict[str, Any]], None] | None = None,
    options: dict[str, Any] | None = None,
) -> Any:  # noqa: ANN401 - ccxt carries no types
    """Return a ccxt.pro client of a simulated venue: ``binance`` for spot, ``binanceusdm`` for perp.

    It loads its markets from the venue, keeps ccxt's request pacing off and hands out only what is new from each
    ``watch_*`` call. Close it with ``await exchange.close()``.

    Args:
        venue: which venue answers at ``url``.
        url: its address, such as ``http://127.0.0.1:40001``.
        api_key: the paper account's key.
        secret: the key's secret.
        on_frame: called with the stream and the parsed message of every market data frame, right after ccxt has
            applied it to its books and caches. The ``watch_*`` methods hand out the newest state only; this sees all.
        options: ccxt options that go over the defaults.

    """
    require("ccxt", extra="demo")
    exchange = _exchange_class(venue)(
        {
            "apiKey": api_key,
            "secret": secret,
            "enableRateLimit": False,
            "newUpdates": True,
            "options": {
                "fetchCurrencies": False,
                "fetchMargins": False,
                "fetchMarkets": {"types": ["spot" if venue == "spot" else "linear"]},
                "defaultType": "spot" if venue == "spot" else "swap",
                "warnOnFetchOpenOrdersWithoutSymbol": False,
                **(options or {}),
            },
        }
    )
    exchange.has["fetchCurrencies"] = False
    exchange.streaming["compress"] = 0
    exchange.urls["api"] = _addresses(venue, url.rstrip("/"), exchange.urls["api"])
    exchange.on_frame = on_frame
    return exchange


def _addresses(venue: str, url: str, addresses: dict[str, Any]) -> dict[str, Any]:
    socket = url.replace("http", "ws", 1)
    if venue == "spot":
        rest = dict.fromkeys(("public", "private"), f"{url}/api/v3")
        # ccxt tells a spot socket from a contract's by "/stream" in its address
        sockets = {"spot": f"{socket}/stream/ws", "ws-api": {"spot": f"{socket}/ws-api/v3"}}
    else:
        rest = {
            name: f"{url}/fapi/{version}"
            for name, version in (
                ("fapiPublic", "v1"),
                ("fapiPrivate", "v1"),
                ("fapiPublicV2", "v2"),
                ("fapiPrivateV2", "v2"),
                ("fapiPublicV3", "v3"),
                ("fapiPrivateV3", "v3"),
            )
        }
        sockets = {"linear": f"{socket}/ws", "ws-api": {}}
    nowhere = {name: f"{url}/unavailable" for name in addresses if name != "ws"}
    return {**nowhere, **rest, "ws": sockets}


@cache
def _exchange_class(venue: str) -> type[Any]:
    pro = require("ccxt.pro", extra="demo")
    base: type[Any] = pro.binance if venue == "spot" else pro.binanceusdm

    def handle_message(self: Any, client: Any, message: Any) -> None:  # noqa: ANN401 - ccxt carries no types
        base.handle_message(self, client, message)
        callback = self.on_frame
        if callback is not None and type(message) is dict:
            event = message.get("e")
            stream = _STREAM_OF_EVENT.get(event)
            if stream is not None:
                callback(stream, message)
            elif event is None and "A" in message:
                callback("bookTicker", message)

    # ccxt finds the error classes of a market type by the venue's real address
    def get_exceptions_by_url(self: Any, url: str | None, kind: str) -> Any:  # noqa: ANN401 - ccxt carries no types
        real = _REAL_ADDRESS[venue] if url is not None else None
        return base.get_exceptions_by_url(self, real, kind)

    return type(
        base.__name__,
        (base,),
        {"handle_message": handle_message, "get_exceptions_by_url": get_exceptions_by_url, "on_frame": None},
    )
