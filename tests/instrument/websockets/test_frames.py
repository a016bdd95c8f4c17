"""What frames are of: the native scan of their text, beside a slow one that parses it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_trading._native import scan_frame
from otel_trading.instrument.frames import type_of
from tests.instrument.feed_server import polymarket, recorded

KINDS = ["stream", "topic", "channel", "e", "event_type", "type"]
INSTRUMENTS = [
    *("s", "symbol", "product_id", "instId", "asset_id", "market_ticker", "instrument_name", "coin", "market", "pair"),
]
TIMES = ["E", "ts", "timestamp", "time_ms", "time", "T"]
MS = 1_000_000


def first(value: Any) -> Any:
    """What an array begins with, through arrays."""
    while isinstance(value, list):
        value = value[0] if value else None
    return value


def by_parsing(text: str) -> tuple[tuple[str | None, str | None], int]:
    """The same as the scan, of frames whose times are in milliseconds."""
    outer = first(json.loads(text))
    outer = outer if isinstance(outer, dict) else {}
    inner = [value for value in (first(each) for each in outer.values()) if isinstance(value, dict)]

    def told(names: list[str], kind: type, inner_names: list[str]) -> Any:
        for name in names:
            if isinstance(outer.get(name), kind) and outer[name] not in {"", 0}:
                return outer[name]
        for name in inner_names:
            for each in inner:
                if isinstance(each.get(name), kind) and each[name] not in {"", 0}:
                    return each[name]
        return None

    time = told(TIMES, int, TIMES)
    return (told(KINDS, str, KINDS[:-1]), told(INSTRUMENTS, str, INSTRUMENTS)), (time or 0) * MS


NAMES = st.sampled_from([*KINDS, *INSTRUMENTS, *TIMES, "data", "arg", "p", "x"])
SCALARS = st.one_of(
    st.none(),
    st.integers(1_600_000_000_000, 1_900_000_000_000),
    st.text(max_size=8).map(lambda text: f"{text}."),  # no number
    st.just(1.5),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)


@settings(max_examples=400, deadline=None)
@given(frame=st.dictionaries(NAMES, VALUES, max_size=6), indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_the_scan_finds_what_parsing_finds(frame: dict[str, Any], indent: int | None, *, ascii_only: bool) -> None:
    """Whatever the order of the keys, the depth, escapes and blanks; texts and bytes are alike."""
    text = json.dumps(frame, indent=indent, ensure_ascii=ascii_only)
    found = scan_frame(text)
    (kind, instrument), time = by_parsing(text)
    assert found
    (found_kind, found_instrument), found_time = found
    if "stream" in frame or "topic" in frame or not (kind and instrument and time):
        assert found_time == time
    strong = set(KINDS[:-1]) & frame.keys()
    if not strong or not (kind and instrument and time):
        assert (found_kind, found_instrument) == (kind, instrument)
    assert scan_frame(text.encode()) == found


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60), st.text('{}[]",:e1s\\u ', max_size=40)))
def test_no_text_is_too_odd(text: str | bytes) -> None:
    """Anything may come."""
    for whole in (True, False):
        found = scan_frame(text, whole)
        assert found is None or found is False or isinstance(found, tuple)


@pytest.mark.parametrize("venue", ["spot", "perp"])
def test_recordings_are_understood(venue: Any) -> None:
    """Each frame, as parsing would."""
    for frame in recorded(venue)[:5_000]:
        content = json.loads(frame)
        found = scan_frame(frame)
        assert found == ((content["stream"], "BTCUSDT"), content["data"].get("E", 0) * MS)


def test_messages_of_a_prediction_market_are_understood() -> None:
    """Its times are texts; frames that break off anywhere are no more than that."""
    for message in polymarket():
        content = json.loads(message)
        found = scan_frame(message)
        assert found
        assert found[0] == (content["event_type"], content.get("asset_id", content["market"]))
        assert found[1] == int(content["timestamp"]) * MS
        for length in range(1, len(message.strip())):
            assert scan_frame(message[:length]) in {False, found}


@pytest.mark.parametrize(
    ("kind", "meant"),
    [
        ("btcusdt@depth20@100ms", "book_update"),
        ("!miniTicker@arr", "ticker"),
        ("24hrTicker", "ticker"),
        ("markPriceUpdate", "funding"),
        ("orderbook.50.BTCUSDT", "book_snapshot"),
        ("publicTrade.BTCUSDT", "trade"),
        ("candle1D", "candle"),
        ("books50-l2-tbt", "book_snapshot"),
        ("/contractMarket/level2:XBTUSDM", "book_update"),
        ("diff_order_book_btcusd", "book_update"),
        ("live_trades_btcusd", "trade"),
        ("spot.order_book_update", "book_update"),
        ("orderbook_delta", "book_update"),
        ("liquidation-orders", "liquidation"),
        ("ORDER_TRADE_UPDATE", "user"),
        ("outboundAccountPosition", "user"),
        ("userFills", "user"),
        ("subscribed", None),
        ("heartbeat", None),
        ("tick_size_change", None),
        ("", None),
    ],
)
def test_venues_words_have_a_meaning(kind: str, meant: str | None) -> None:
    """Streams, topics, channels and events, in the words of many venues."""
    assert type_of(kind) == meant
