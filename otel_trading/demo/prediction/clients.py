"""Real ccxt clients whose addresses lead to the simulated prediction venues."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.demo.prediction.kalshi import PREFIX
from otel_trading.extras import require

if TYPE_CHECKING:
    from otel_trading.demo.prediction.kalshi import Kalshi
    from otel_trading.demo.prediction.polymarket import Polymarket


def make_kalshi(venue: Kalshi, **config: Any) -> Any:  # noqa: ANN401 - ccxt carries no types
    """A ``ccxt.prediction.kalshi`` with the venue's account; close it with ``await client.close()``."""
    prediction = require("ccxt.prediction", extra="demo")
    account = {"apiKey": venue.key_id, "privateKey": venue.key.pem, "enableRateLimit": False}
    client = prediction.kalshi({**account, **config})
    client.urls["api"] = {"kalshi": f"{venue.url}{PREFIX}", "elections": f"{venue.url}/v1"}
    return client


def make_polymarket(venue: Polymarket, **config: Any) -> Any:  # noqa: ANN401 - ccxt carries no types
    """A ``ccxt.prediction.polymarket`` with the venue's wallet; close it with ``await client.close()``."""
    prediction = require("ccxt.prediction", extra="demo")
    account = {"privateKey": venue.private_key, "walletAddress": venue.wallet, "enableRateLimit": False}
    client = prediction.polymarket({**account, **config})
    client.streaming["compress"] = 0
    sockets = venue.url.replace("http", "ws", 1)
    client.urls["api"] = {
        **{name: f"{venue.url}/{name}" for name in ("gamma", "clob", "data")},
        "ws": f"{sockets}/ws/market",
        "wsUser": f"{sockets}/ws/user",
    }
    return client
