"""A generated market: one efficient price, a basis that comes back, and two books that follow them. Endless, seeded."""

from __future__ import annotations

import json
import math
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.demo.venue.ladder import Ladder, Style
from otel_trading.demo.venue.market import VENUES, Frame, MarketSource, Stream, VenueName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_STEP_NS = 5_000_000
_STEP_SECONDS = _STEP_NS / 1e9
_SYMBOL = "BTCUSDT"


@dataclass(frozen=True, slots=True)
class MarketModel:
    """Parameters of the generated prices; times in seconds, prices in USDT.

    Args:
        price: where the efficient price starts.
        volatility: its standard deviation after one calm second, in basis points.
        bursts_per_minute: how often activity and volatility rise for a moment, starting with a jump.
        burst_seconds: mean length of such a moment.
        burst_factor: by how much activity rises in it.
        jump_bps: standard deviation of the jump.
        basis_bps: mean of the perpetual's distance from spot.
        basis_deviation_bps: standard deviation around that mean.
        basis_half_life: time in which a deviation halves.

    """

    price: float = 60_000.0
    volatility: float = 0.5
    bursts_per_minute: float = 4.0
    burst_seconds: float = 0.8
    burst_factor: float = 8.0
    jump_bps: float = 3.0
    basis_bps: float = -2.0
    basis_deviation_bps: float = 7.0
    basis_half_life: float = 3.0


_STYLES: dict[VenueName, Style] = {
    "spot": Style(
        tick=0.01, step=0.00001, price_digits=(2, 8), quantity_digits=(5, 8), grid_ticks=60, typical_quantity=0.4
    ),
    "perp": Style(
        tick=0.1, step=0.001, price_digits=(1, 2), quantity_digits=(3, 3), grid_ticks=6, typical_quantity=1.5
    ),
}
_QUOTES_PER_SECOND: dict[VenueName, float] = {"spot": 55.0, "perp": 120.0}
_TRADES_PER_SECOND: dict[VenueName, float] = {"spot": 20.0, "perp": 45.0}
_STEPS_PER_DEPTH: dict[VenueName, int] = {"spot": 20, "perp": 10}
_FIRST_IDS: dict[VenueName, tuple[int, int]] = {
    "spot": (50_000_000_000, 3_700_000_000),
    "perp": (5_100_000_000_000, 5_200_000_000),
}
_EVENT_TO_SEND_MS = 3


class GeneratedMarket(MarketSource):
    """Frames of both venues as they would come off the wire, the same for the same seed.

    Args:
        seed: of everything random.
        model: the parameters of the prices.

    """

    def __init__(self, seed: int = 1, model: MarketModel | None = None) -> None:
        self._seed = seed
        self._model = model or MarketModel()

    def snapshots(self) -> Mapping[VenueName, str]:
        """Return the depth answers the frames continue."""
        return {name: side.snapshot() for name, side in self._sides(self._random()).items()}

    def frames(self, event_ms: Callable[[int], int]) -> Iterator[Frame]:
        """Yield frames for ever; event times are a few milliseconds before the frame's own."""
        rng = self._random()
        sides = self._sides(rng)
        prices = _Prices(self._model, rng)
        step = 0
        while True:
            started = step * _STEP_NS
            prices.advance()
            frames: list[Frame] = []
            for name in VENUES:
                side = sides[name]
                side.follow(prices.spot if name == "spot" else prices.perp)
                frames += side.events(started, prices.activity, event_ms)
                if (step + 1) % _STEPS_PER_DEPTH[name] == 0:
                    frames += side.depth(started + _STEP_NS - 1, event_ms)
            frames.sort(key=_time)
            yield from frames
            step += 1

    def _random(self) -> random.Random:
        return random.Random(self._seed)  # noqa: S311 - a paper market keeps no secret

    def _sides(self, rng: random.Random) -> dict[VenueName, _Side]:
        model = self._model
        perp = model.price * (1 + model.basis_bps / 1e4)
        return {"spot": _Side("spot", model.price, rng), "perp": _Side("perp", perp, rng)}


class _Prices:
    def __init__(self, model: MarketModel, rng: random.Random) -> None:
        self._model = model
        self._rng = rng
        self.spot = model.price
        self._deviation = 0.0
        self._burst_steps = 0
        self._keeps = 0.5 ** (_STEP_SECONDS / model.basis_half_life)

    @property
    def activity(self) -> float:
        return self._model.burst_factor if self._burst_steps > 0 else 1.0

    @property
    def perp(self) -> float:
        return self.spot * (1 + (self._model.basis_bps + self._deviation) / 1e4)

    def advance(self) -> None:
        model, rng = self._model, self._rng
        move = rng.gauss(0.0, model.volatility * math.sqrt(_STEP_SECONDS * self.activity))
        self._burst_steps -= 1
        if rng.random() < model.bursts_per_minute / 60 * _STEP_SECONDS:
            self._burst_steps = round(rng.expovariate(1 / model.burst_seconds) / _STEP_SECONDS)
            move += rng.gauss(0.0, model.jump_bps)
            self._deviation += rng.gauss(0.0, model.jump_bps)
        self.spot *= 1 + move / 1e4
        noise = model.basis_deviation_bps * math.sqrt(1 - self._keeps**2)
        self._deviation = self._deviation * self._keeps + rng.gauss(0.0, noise)


class _Side:
    def __init__(self, name: VenueName, price: float, rng: random.Random) -> None:
        self._name: VenueName = name
        self._rng = rng
        first_update, first_trade = _FIRST_IDS[name]
        self._ladder = Ladder(_STYLES[name], price, first_update, rng)
        self._trade_id = first_trade
        self._quoted = self._ladder.top()
        self._target = price

    def snapshot(self) -> str:
        return json.dumps(self._ladder.snapshot(), separators=(",", ":"))

    def follow(self, price: float) -> None:
        self._target = price

    def events(self, started: int, activity: float, event_ms: Callable[[int], int]) -> list[Frame]:
        rng, frames = self._rng, []
        seconds = _STEP_SECONDS * activity
        kinds = ["quote"] * _poisson(rng, _QUOTES_PER_SECOND[self._name] * seconds)
        kinds += ["trade"] * _poisson(rng, _TRADES_PER_SECOND[self._name] * seconds)
        rng.shuffle(kinds)
        moments = sorted(rng.randrange(_STEP_NS - 1) for _ in kinds)
        for kind, offset in zip(kinds, moments, strict=True):
            moment = started + offset
            now = event_ms(moment) - _EVENT_TO_SEND_MS
            if kind == "trade":
                frames.append(self._trade(moment, now))
            else:
                self._ladder.move_to(self._target)
                self._ladder.flicker()
            if self._ladder.top() != self._quoted:
                frames.append(self._quote(moment, now))
        return frames

    def depth(self, moment: int, event_ms: Callable[[int], int]) -> list[Frame]:
        change = self._ladder.take_change()
        if change is None:
            return []
        now = event_ms(moment) - _EVENT_TO_SEND_MS
        head: dict[str, Any] = {"e": "depthUpdate", "E": now}
        if self._name == "perp":
            head["T"] = now - 1
        head |= {"s": _SYMBOL, "U": change.first_id, "u": change.last_id}
        if self._name == "perp":
            head["pu"] = change.previous_id
        return [self._frame(moment, "depth", {**head, "b": change.bids, "a": change.asks})]

    def _trade(self, moment: int, now: int) -> Frame:
        buyer_is_maker = self._rng.random() < 0.5  # noqa: PLR2004 - either side is as likely
        price, quantity = self._ladder.trade(hit_bid=buyer_is_maker)
        self._trade_id += 1
        head: dict[str, Any] = {"e": "trade", "E": now}
        if self._name == "perp":
            head["T"] = now - 1
        head |= {"s": _SYMBOL, "t": self._trade_id, "p": price, "q": quantity}
        head |= {"X": "MARKET"} if self._name == "perp" else {"T": now - 1}
        head["m"] = buyer_is_maker
        if self._name == "spot":
            head["M"] = True
        return self._frame(moment, "trade", head)

    def _quote(self, moment: int, now: int) -> Frame:
        self._quoted = top = self._ladder.top()
        quote: dict[str, Any] = {
            "u": self._ladder.update_id,
            "s": _SYMBOL,
            "b": top.bid,
            "B": top.bid_quantity,
            "a": top.ask,
            "A": top.ask_quantity,
        }
        if self._name == "perp":
            quote = {"e": "bookTicker", **quote, "T": now - 1, "E": now}
        return self._frame(moment, "bookTicker", quote)

    def _frame(self, moment: int, stream: Stream, content: dict[str, Any]) -> Frame:
        return Frame(moment, self._name, stream, json.dumps(content, separators=(",", ":")))


def _poisson(rng: random.Random, mean: float) -> int:
    limit, count, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        count += 1
        product *= rng.random()
    return count


def _time(frame: Frame) -> int:
    return frame.time_ns
