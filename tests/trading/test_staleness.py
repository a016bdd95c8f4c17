"""A subscription that is silent is told of once, and once when it is over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import otel_trading as ot
from tests.core.started_bots import StartedBot

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading.testing import Captured

STALE, RESUMED = "trading.market_data.stale", "trading.market_data.resumed"


def told(telemetry: Captured) -> list[tuple[str | None, Any]]:
    """Which events were told, of which subscription."""
    return [(log.event, log.attributes["trading.market_data.subscription"]) for log in telemetry.logs]


def test_each_silence_is_told_once(telemetry: Captured, trading: Any) -> None:
    """However often it is looked at; the metric counts it once, too."""
    feed = trading.feeds.feed("binance", "a@trade", type="trade", stale=10)
    for turn in range(1, 3):
        feed.message()
        for _ in range(5):
            telemetry.advance(5)
            trading.staleness.look()
        assert told(telemetry) == [(STALE, "a@trade"), (RESUMED, "a@trade")] * (turn - 1) + [(STALE, "a@trade")]
        feed.message()
        trading.staleness.look()
        trading.staleness.look()
    assert telemetry.logs[-1].attributes["trading.market_data.age"] == 25
    assert telemetry.metrics["trading.market_data.stalls"].value == 2


def test_one_that_never_had_data_is_stale_too(telemetry: Captured, trading: Any) -> None:
    """Since it was subscribed to; the others are not told of."""
    trading.feeds.feed("binance", "silent", stale=10)
    busy = trading.feeds.feed("binance", "busy", stale=10)
    telemetry.advance(11)
    busy.message()
    trading.staleness.look()
    assert told(telemetry) == [(STALE, "silent")]


def test_what_is_unsubscribed_is_over(telemetry: Captured, trading: Any) -> None:
    """Nobody is told that its data comes again, nor that a closed one is stale."""
    feed = trading.feeds.feed("binance", "a@trade", stale=10)
    telemetry.advance(11)
    trading.staleness.look()
    feed.close()
    trading.staleness.look()
    telemetry.advance(60)
    trading.staleness.look()
    assert told(telemetry) == [(STALE, "a@trade")]


def test_the_limit_is_an_option(telemetry: Captured) -> None:
    """It holds for subscriptions that have none of their own."""
    ot.configure(stale_after=2)
    feeds = telemetry.trading.feeds
    assert (feeds.feed("binance", "a").threshold, feeds.feed("binance", "b", stale=7).threshold) == (2, 7)


BOT = """
import time
import otel_trading as ot
telemetry = ot.configure(**dict.fromkeys(("traces_exporter", "metrics_exporter"), "none"), logs_exporter="console",
                         runtime_enabled=False, ops_enabled=False, banner=False, stale_after=0.5)
telemetry.trading.feeds.feed("binance", "a@trade").message()
print("ready", flush=True)
time.sleep(600)
"""


def test_it_is_told_while_the_bot_does_nothing(tmp_path: Path) -> None:
    """The kit's own thread looks, about once a second, also while the bot is stuck."""
    with StartedBot(BOT, tmp_path) as bot:
        bot.ready()
        end = time.monotonic() + 60
        line = ""
        while STALE not in line and time.monotonic() < end:
            line = bot.line()
        assert STALE in line
