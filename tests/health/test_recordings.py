"""Health over real frames of two venues, with faults put among them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from otel_trading.testing import capture
from tests.demo.venue.venue_clients import recordings
from tests.trading.test_feed_recordings import SECOND, VENUES, frames

if TYPE_CHECKING:
    from collections.abc import Iterator

_SILENT = range(60, 120)
_LOST = range(150, 170)
_SLOW = range(200, 240)


def test_a_replay_with_faults_is_told_as_it_is() -> None:
    """Silence of one subscription, a lost connection and slow answers: each at its venue, each over when it is over."""
    seen: dict[int, dict[str, str]] = {}
    reasons: dict[int, str] = {}
    with capture() as telemetry:
        trading, health = telemetry.trading, telemetry.handle.health
        for venue in VENUES.values():
            trading.connection_changed(venue, "connected", connection="market_data")
        for second, arrived in _seconds():
            for venue, stream in arrived:
                silent = venue == "binance" and stream == "trade" and second in _SILENT
                lost = venue == "binanceusdm" and second in _LOST
                if not silent and not lost:
                    trading.feeds.feed(venue, stream, type=stream).message()
            if second in {_LOST.start, _LOST.stop}:
                state = "disconnected" if second == _LOST.start else "connected"
                trading.connection_changed("binanceusdm", state, connection="market_data", reason="1006")
            trading.request_completed("binance", "time", 3.0 if second in _SLOW else 0.05)
            telemetry.advance(1)
            report = health.look()
            seen[second] = {each.name.removeprefix("venue "): each.state for each in report.components}
            seen[second][""] = report.state
            reasons[second] = "; ".join(report.reasons)
            assert len(report.components) >= 2
    assert seen[59] == {"binance": "healthy", "binanceusdm": "healthy", "emergency_stop": "healthy", "": "healthy"}
    assert seen[100]["binance"] == "degraded"
    assert "no data of trade for" in reasons[100]
    assert seen[125][""] == "healthy"
    assert (seen[153]["binanceusdm"], seen[165]["binanceusdm"], seen[165][""]) == ("degraded", "down", "down")
    assert "market_data disconnected for" in reasons[165]
    assert (seen[172]["binanceusdm"], seen[201][""]) == ("degraded", "healthy")
    assert (seen[230]["binance"], seen[230]["binanceusdm"]) == ("degraded", "healthy")
    assert "99 % of its requests take up to 3 s" in reasons[230]
    assert seen[max(seen)][""] == "healthy"


def _seconds() -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Venue and stream of each frame, by the second in which it came."""
    found = recordings()
    every: list[tuple[int, str, str]] = []
    for name, venue in VENUES.items():
        recorded: Any = frames(found[name])  # type: ignore[literal-required]
        every += [(frame.received, venue, frame.stream) for frame in recorded]
    every.sort()
    began = every[0][0]
    for second, group in groupby(every, key=lambda each: (each[0] - began) // SECOND):
        yield second, [(venue, stream) for _, venue, stream in group]
