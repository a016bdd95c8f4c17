"""Polymarket's own answers and messages from a folder of recordings, as a market."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from otel_trading.demo.prediction.book import Leg
from otel_trading.demo.prediction.polymarket_wire import question_of
from otel_trading.demo.prediction.question import Question

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]

_EVENTS = ("gamma_event.json",)
_MARKETS = ("gamma_market.json", "gamma_market_sports_market_money_line.json")
_MESSAGES = (
    "ws_market_book_msg.json",
    "ws_market_price_change_msg.json",
    "ws_market_last_trade_msg.json",
    "ws_market_tick_size_msg.json",
    "ws_market_best_bid_ask_msg.json",
    "ws_market_new_market_msg.json",
    "ws_market_resolved_msg.json",
)
_QUOTES = "ws_quotes.json"
_TOKENS = 2


class RecordedMarkets:
    """The markets that were recorded, and messages of one of them.

    Args:
        folder: the recorded JSON files.
        times: how often the messages are told, one round after the other; ``None`` never ends.
        pause: seconds between two messages.

    """

    def __init__(self, folder: Path, *, times: int | None = 1, pause: float = 0.1) -> None:
        self._times = times
        self._pause = pause
        self._messages = [json.loads((folder / name).read_text()) for name in _MESSAGES]
        both: Json = json.loads((folder / _QUOTES).read_text())
        self._messages.insert(2, {"event_type": "price_change", **both})
        raw = [market for name in _EVENTS for event in _listed(folder / name) for market in event["markets"]]
        raw += [market for name in _MARKETS for market in _listed(folder / name)]
        self._questions = [question_of(market) for market in raw if len(json.loads(market["clobTokenIds"])) == _TOKENS]
        yes, no = (change["asset_id"] for change in both["price_changes"])
        self._questions.append(
            Question(
                ticker="RECORDED-1",
                event="RECORDED",
                slug="recorded-1",
                title="The market of the recorded messages",
                condition=both["market"],
                tokens={Leg.YES: yes, Leg.NO: no},
            )
        )
        for question in self._questions[:-1]:
            _offer(question)

    def questions(self) -> list[Question]:
        """The questions; the last one is what most messages are of."""
        return self._questions

    def messages(self) -> Iterator[tuple[float, Json]]:
        """The messages, with the seconds before each."""
        told = 0
        while self._times is None or told < self._times:
            for message in self._messages:
                yield self._pause, message
            told += 1


def _listed(file: Path) -> list[Json]:
    """What was recorded, one thing or several."""
    content: Json | list[Json] = json.loads(file.read_text())
    return content if isinstance(content, list) else [content]


def _offer(question: Question) -> None:
    """Recorded markets tell their best prices only."""
    bid, ask = (Decimal(str((question.raw or {}).get(name) or 0)) for name in ("bestBid", "bestAsk"))
    bid, ask = max(bid, question.tick), min(max(ask, bid + question.tick), 1 - question.tick)
    question.book.replace([(bid, Decimal(100))], [(ask, Decimal(100))])
    question.last = bid
