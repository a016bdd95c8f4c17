"""The venue's check of key, signature and time, alone and through real clients."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest

from otel_trading.demo.exchange import make_exchange
from otel_trading.demo.venue import GeneratedMarket, Venues
from otel_trading.demo.venue.orders import Reject
from otel_trading.demo.venue.signing import Credentials
from tests.demo.venue.venue_clients import SYMBOLS

NOW = 1_700_000_000_000
credentials = Credentials("key", "secret", lambda: NOW)


def sign(payload: str, secret: str) -> str:
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def check(parameters: dict[str, str], secret: str) -> None:
    payload = "&".join(f"{key}={value}" for key, value in parameters.items())
    credentials.check_signature(payload, sign(payload, secret), parameters)


@pytest.mark.parametrize("offset", [0, 999, -5000])
def test_a_request_within_the_window_passes(offset: int) -> None:
    """Up to a second ahead and five seconds behind, unless the request says otherwise."""
    check({"timestamp": str(NOW + offset)}, "secret")


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"timestamp": str(NOW + 1001)}, -1021),
        ({"timestamp": str(NOW - 5001)}, -1021),
        ({"timestamp": str(NOW - 101), "recvWindow": "100"}, -1021),
        ({"timestamp": str(NOW), "recvWindow": "60001"}, -1131),
        ({"symbol": "BTCUSDT"}, -1102),
        ({"timestamp": "soon"}, -1102),
    ],
)
def test_a_request_out_of_time_is_refused(parameters: dict[str, str], code: int) -> None:
    """With the code the real venue answers."""
    with pytest.raises(Reject) as reject:
        check(parameters, "secret")
    assert reject.value.code == code


def test_a_wrong_signature_is_refused() -> None:
    """Signed with another secret, or not signed at all."""
    with pytest.raises(Reject, match="-1022"):
        check({"timestamp": str(NOW)}, "another")
    with pytest.raises(Reject, match="-1102"):
        credentials.check_signature("timestamp=1", None, {"timestamp": "1"})


def test_a_wrong_key_is_refused() -> None:
    """A missing key is answered differently from a foreign one."""
    with pytest.raises(Reject, match="-2014"):
        credentials.check_key(None)
    with pytest.raises(Reject, match="-2015"):
        credentials.check_key("other")


@pytest.mark.parametrize("venue", ["spot", "perp"])
@pytest.mark.parametrize(
    ("keys", "error", "code"),
    [
        ({"secret": "wrong"}, "AuthenticationError", "-1022"),
        ({"api_key": "wrong"}, "AuthenticationError", "-2015"),
        ({"options": {"timeDifference": 20_000}}, "InvalidNonce", "-1021"),
    ],
)
async def test_ccxt_is_told_what_is_wrong(venue: Any, keys: dict[str, Any], error: str, code: str) -> None:
    """Requests are refused with the error class ccxt has for the code."""
    import ccxt

    async with Venues(GeneratedMarket(1)) as venues:
        client = make_exchange(venue, venues.urls[venue], **keys)
        try:
            with pytest.raises(getattr(ccxt, error), match=code):
                await client.create_order(SYMBOLS[venue], "limit", "buy", 0.01, 50_000)
            assert (await venues.stats())[venue]["orders"] == {}
        finally:
            await client.close()


async def test_a_user_stream_needs_a_valid_signature() -> None:
    """The spot venue's subscription by signature refuses a wrong secret."""
    import ccxt

    async with Venues(GeneratedMarket(1)) as venues:
        client = make_exchange("spot", venues.spot_url, secret="wrong")
        try:
            with pytest.raises((ccxt.AuthenticationError, KeyError)) as error:
                await client.watch_orders("BTC/USDT")
            refusal = error.value.__context__ if isinstance(error.value, KeyError) else error.value
            assert "-1022" in str(refusal)  # ccxt 4.5.90 stumbles over its own clean-up while it raises this
            assert (await venues.stats())["spot"]["subscribers"]["user"] == 0
        finally:
            await client.close()
