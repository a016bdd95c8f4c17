"""What every contender has: the objects its statements name, made when first asked for."""

from __future__ import annotations

import time
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from otel_trading.bench.timing import Call, names_in

if TYPE_CHECKING:
    from collections.abc import Callable

Made: TypeAlias = Any
"""An object of a contender's own making."""

OURS = "otel_trading"
SDK = "opentelemetry-sdk"
PROMETHEUS = "prometheus_client"
NONE = "no telemetry"

ATTRIBUTES = {"trading.venue.name": "binance", "trading.instrument.symbol": "BTC/USDT"}
RECORD: dict[str, object] = {
    **ATTRIBUTES,
    "trading.order.client_id": "7f3a9c12-8d4e-4b6a-9f21-3c5d7e8f9a0b",
    "trading.order.id": "28457120045",
    "trading.order.side": "buy",
    "trading.order.type": "limit",
    "trading.order.time_in_force": "gtc",
    "trading.order.status": "partially_filled",
    "trading.order.quantity": 0.25,
    "trading.order.price": 43_210.12,
    "trading.order.cumulative_quantity": 0.15,
    "trading.order.leaves_quantity": 0.1,
    "trading.execution.id": "4051177123",
    "trading.execution.liquidity": "added",
    "trading.execution.quantity": 0.05,
    "trading.execution.price": 43_210.1,
    "trading.execution.commission": 0.000_05,
    "trading.currency": "USDT",
    "trading.strategy.name": "basis-btc",
    "trading.order.transact_time": "2025-01-15T14:23:45.123456Z",
}
"""What is known of an order that is partly filled: 20 fields."""
OBSERVED = 100
"""Series of the observable instrument."""
PER_INSTRUMENT = 1_000
"""Series of one histogram where many are encoded."""
NEVER_S = 3600.0


class SpanEncoder(NamedTuple):
    """The steps of encoding spans; they are taken in this order, again and again."""

    make: Callable[[], object]
    free: Callable[[], object]
    """What is done while other threads of the interpreter run."""
    held: Callable[[], int]
    """What is done while they wait; the bytes there are then."""


class NotThereError(Exception):
    """A contender cannot do this; the message says why, and the row leaves it out."""


class Contender:
    """What the statements of a contender may name: its attributes, made when first asked for."""

    name: ClassVar[str]
    distribution: ClassVar[str]

    attributes = ATTRIBUTES
    hundred = range(100)
    now = staticmethod(time.perf_counter)
    perf_counter_ns = staticmethod(time.perf_counter_ns)
    time_ns = staticmethod(time.time_ns)
    event_time = time.time_ns()

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._numbered: dict[str, Made] = {}
        try:
            self.version = version(self.distribution)
        except PackageNotFoundError as error:
            raise NotThereError(f"{self.distribution} is not installed") from error

    def call(self, statement: str) -> Call:
        """The statement with what its names stand for: attributes, and ``counter_1`` and the like, each its own."""
        try:
            names = {name: self._named(name) for name in names_in(statement)}
            return Call(statement, names, self.before)
        except (AttributeError, ImportError, NotImplementedError) as error:
            raise NotThereError(f"not there: {error}") from error

    def _named(self, name: str) -> Made:
        kind, _, number = name.partition("_")
        if not number.isdigit():
            return getattr(self, name)
        if name not in self._numbered:
            self._numbered[name] = self.instrument(kind, f"bot.{kind}.{number}")
        return self._numbered[name]

    def before(self) -> None:
        """Make room for many measurements; called before each repeat."""

    def instrument(self, kind: str, name: str) -> Made:
        """A counter, gauge, histogram or timer of that name, bound to the attributes where that is possible."""
        raise NotImplementedError

    def populate(self, series: int) -> None:
        """Record into so many series."""

    def export(self) -> None:
        """Collect, encode and send everything once."""

    def encoder(self, series: int) -> Callable[[], int]:
        """A call that collects and encodes so many histogram series, all recorded into, and says how many bytes."""
        raise NotThereError("nothing to encode")

    def span_encoder(self, spans: int) -> SpanEncoder:
        """Makes so many spans and encodes them."""
        raise NotThereError("no spans to encode")

    def export_spans(self) -> None:
        """Let go of the spans that ended, encoded where that is done in this process."""

    def close(self) -> None:
        """End what was started."""

    @cached_property
    def bound_counter(self) -> Made:
        return self.instrument("counter", "bot.bound.frames")

    @cached_property
    def bound_gauge(self) -> Made:
        return self.instrument("gauge", "bot.bound.depth")

    @cached_property
    def bound_histogram(self) -> Made:
        return self.instrument("histogram", "bot.bound.size")

    @cached_property
    def timer(self) -> Made:
        return self.instrument("timer", "bot.decide")

    @staticmethod
    def plain(value: float) -> float:
        return value

    @staticmethod
    async def plain_coroutine(value: float) -> float:
        return value
