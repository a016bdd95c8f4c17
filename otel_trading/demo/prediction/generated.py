"""A made-up prediction market: questions with books, and how these move."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from otel_trading.demo.prediction.book import Leg
from otel_trading.demo.prediction.question import Question

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

_TITLES = (
    ("KXFED", "fed", "Will the Fed cut rates by 25 bps at meeting {}?"),
    ("KXRAIN", "rain", "Will it rain in Paris on day {}?"),
)
_DEPTH = 5
_TICK = Decimal("0.01")
_LOWEST, _HIGHEST = 10, 90


class GeneratedMarkets:
    """Questions of two kinds, the same ones for the same seed.

    >>> markets = GeneratedMarkets(1, count=2)
    >>> [question.ticker for question in markets.questions()]
    ['KXFED-26-1', 'KXRAIN-26-2']

    Args:
        seed: of everything.
        count: how many questions.
        steps: how many movements :meth:`messages` tells; ``None`` never ends.
        pause: seconds between two of them.

    """

    def __init__(self, seed: int = 1, *, count: int = 4, steps: int | None = None, pause: float = 0.1) -> None:
        self._seed = seed
        self._steps = steps
        self._pause = pause
        draw = random.Random(seed)  # noqa: S311 - paper markets
        self._questions = [self._question(number, draw) for number in range(1, count + 1)]

    def questions(self) -> list[Question]:
        """The questions."""
        return self._questions

    def messages(self) -> Iterator[tuple[float, Json]]:
        """How books move, in Polymarket's words, with the seconds before each message."""
        draw = random.Random(self._seed + 1)  # noqa: S311 - paper markets
        step = 0
        while self._steps is None or step < self._steps:
            question = draw.choice(self._questions)
            yield self._pause, _trade(question, draw) if draw.random() < 0.2 else _change(question, draw)  # noqa: PLR2004 - a share
            step += 1

    def _question(self, number: int, draw: random.Random) -> Question:
        series, slug, title = _TITLES[(number - 1) % len(_TITLES)]
        question = Question(
            ticker=f"{series}-26-{number}",
            event=f"{series}-26",
            slug=f"{slug}-26-{number}",
            title=title.format(number),
            condition=f"0x{draw.randbytes(32).hex()}",
            tokens={leg: str(draw.getrandbits(250)) for leg in Leg},
        )
        middle = draw.randrange(_LOWEST + 20, _HIGHEST - 20)
        sizes = [Decimal(draw.randrange(20, 200)) for _ in range(2 * _DEPTH)]
        question.book.replace(
            [(_TICK * (middle - 1 - step), sizes[step]) for step in range(_DEPTH)],
            [(_TICK * (middle + 1 + step), sizes[_DEPTH + step]) for step in range(_DEPTH)],
        )
        question.last = _TICK * middle
        return question


def _change(question: Question, draw: random.Random) -> Json:
    """A level of the book is put up or taken away, never across the other side."""
    leg = draw.choice(list(Leg))
    best_bid, best_ask = question.book.best(leg)
    bid = draw.random() < 0.5  # noqa: PLR2004 - either
    far = _TICK * draw.randrange(1, _DEPTH + 1)
    opposite = (best_ask or 1 - _TICK) if bid else (best_bid or _TICK)
    price = min(max(opposite - far if bid else opposite + far, _TICK), 1 - _TICK)
    size = Decimal(draw.randrange(10, 300)) if draw.random() < 0.9 or far == _TICK else Decimal(0)  # noqa: PLR2004 - most
    changes = [(leg, bid, price), (leg.other, not bid, 1 - price)]
    return {
        "event_type": "price_change",
        "market": question.condition,
        "price_changes": [
            {
                "asset_id": question.tokens[each],
                "price": f"{at:f}",
                "side": "BUY" if buys else "SELL",
                "size": f"{size:f}",
                "hash": f"0x{draw.randbytes(20).hex()}",
            }
            for each, buys, at in changes
        ],
    }


def _trade(question: Question, draw: random.Random) -> Json:
    """Others trade at the best price."""
    leg = draw.choice(list(Leg))
    bid, ask = question.book.best(leg)
    buys = draw.random() < 0.5  # noqa: PLR2004 - either
    return {
        "event_type": "last_trade_price",
        "market": question.condition,
        "asset_id": question.tokens[leg],
        "fee_rate_bps": "0",
        "price": f"{(ask if buys else bid) or question.last:f}",
        "side": "BUY" if buys else "SELL",
        "size": f"{draw.randrange(1, 50)}",
    }
