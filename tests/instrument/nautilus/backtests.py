"""Backtests of nautilus_trader, on recorded ticks and on made-up ones."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import TraderId, Venue
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.test_kit.providers import TestInstrumentProvider
from nautilus_trader.trading.strategy import Strategy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SIM = Venue("SIM")
USDJPY = TestInstrumentProvider.default_fx_ccy("USD/JPY", SIM)
START = 1_357_077_600_000_000_000
LOT = 10_000


class Flipping(Strategy):  # type: ignore[misc]  # nautilus_trader's are not typed
    """Buys and sells in turn, each so many ticks; says when it acted, by its clock and by the given one."""

    def __init__(self, every: int = 50, clock: Any = None, instrument: Any = USDJPY) -> None:
        super().__init__(StrategyConfig(strategy_id="FLIP-001", order_id_tag="001"))
        self.every = every
        self.told_time = clock
        self.instrument = instrument
        self.ticks = 0
        self.times: list[tuple[int, int]] = []

    def on_start(self) -> None:
        self.subscribe_quote_ticks(self.instrument.id)

    def on_quote_tick(self, tick: Any) -> None:
        self.ticks += 1
        if self.ticks % self.every == 0:
            self.act(OrderSide.BUY if (self.ticks // self.every) % 2 else OrderSide.SELL)
            if self.told_time is not None:
                self.times.append((self.clock.timestamp_ns(), self.told_time()))

    def act(self, side: Any) -> None:
        self.submit_order(self.order_factory.market(self.instrument.id, side, Quantity.from_int(LOT)))


class Greedy(Flipping):
    """Wants more than its account can pay, and does not take no for an answer."""

    def act(self, side: Any) -> None:
        self.submit_order(self.order_factory.market(self.instrument.id, OrderSide.BUY, Quantity.from_int(10**9)))

    def on_order_denied(self, event: Any) -> None:
        raise LookupError(event.reason)


class Quoting(Flipping):
    """Rests far away from the market, then changes its mind: other price, then none."""

    def act(self, side: Any) -> None:
        resting = self.cache.orders_open()
        if not resting:
            price = Price.from_str("80.000")
            self.submit_order(
                self.order_factory.limit(self.instrument.id, OrderSide.BUY, Quantity.from_int(LOT), price)
            )
        elif resting[0].price == Price.from_str("80.000"):
            self.modify_order(resting[0], price=Price.from_str("81.000"))
        else:
            self.cancel_order(resting[0])


def ticks(count: int, *, price: str = "86.700", spread: str = "0.010") -> Iterator[QuoteTick]:
    """A tick a second."""
    for number in range(count):
        bid = Decimal(price) + Decimal("0.001") * (number % 7)
        now = START + number * 1_000_000_000
        yield quote(str(bid), str(bid + Decimal(spread)), now)


def recorded(path: Path) -> Iterator[QuoteTick]:
    """The ticks of a recording."""
    for line in path.read_text().splitlines()[1:]:
        at, bid, ask = line.split(",")
        moment = datetime.fromisoformat(at)
        yield quote(bid, ask, round(moment.astimezone(UTC).timestamp() * 1e6) * 1000)


def quote(bid: str, ask: str, now: int) -> QuoteTick:
    """One tick."""
    big = Quantity.from_int(1_000_000)
    return QuoteTick(USDJPY.id, Price(float(bid), 3), Price(float(ask), 3), big, big, now, now)


def engine(
    strategy: Strategy, data: Iterable[QuoteTick], *, hedging: bool = False, trader: str = "BOT-001"
) -> BacktestEngine:
    """An engine that is ready to run."""
    made = BacktestEngine(BacktestEngineConfig(trader_id=TraderId(trader), logging=LoggingConfig(bypass_logging=True)))
    oms = OmsType.HEDGING if hedging else OmsType.NETTING
    made.add_venue(SIM, oms, AccountType.MARGIN, [Money(1_000_000, USD)], base_currency=USD)
    made.add_instrument(USDJPY)
    made.add_data(list(data))
    made.add_strategy(strategy)
    return made
