"""A bot that says, with all that the conventions declare, what a run of the demo has no occasion to say.

Each instrument is made as it is declared, by the engine that is configured, with every value that its attributes may
have. Run as a program it goes on until its standard input ends.
"""

from __future__ import annotations

import logging
import select
import sys
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics
from opentelemetry.metrics import Observation
from opentelemetry.trace import Status, StatusCode

import otel_trading as ot
from otel_trading.trading.conventions import INSTRUMENTS, create
from otel_trading.trading.conventions.attributes import ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_trading.trading.conventions import Instrument

EXAMPLES = {
    "trading.venue.name": ("kraken", "kalshi"),
    "trading.instrument.symbol": ("BTC/USD", "ETH/USD"),
    "trading.stage.name": ("candle_processing", "signal_generation", "order_execution"),
    "trading.operation.name": ("fetch_prices", "create_order"),
    "trading.risk.limit.name": ("daily_loss", "position_exposure"),
    "trading.cache.hit": (True, False),
    "trading.health.critical": (True, False),
    "error.type": ("TimeoutError",),
    "cpu.mode": ("user", "system"),
}
"""Values of attributes for which the conventions declare none."""


def values(attribute: str) -> tuple[Any, ...]:
    """What an attribute may be."""
    declared = ATTRIBUTES.get(attribute)
    return EXAMPLES.get(attribute) or (declared.values if declared else ()) or ("one", "two")


def points(instrument: Instrument) -> list[dict[str, Any]]:
    """The attributes of an instrument's series: each value of each attribute at least once."""
    names = (*instrument.attributes, *instrument.optional)
    longest = max((len(values(name)) for name in names), default=1)
    return [{name: values(name)[place % len(values(name))] for name in names} for place in range(longest)]


def level(instrument: Instrument) -> float:
    """What a gauge or an up-down counter says: of states, that each one holds, so that each has a mark."""
    return 1.0 if instrument.kind == "up_down_counter" else 0.5


def read(instrument: Instrument) -> Callable[[Any], Iterator[Observation]]:
    """What an observable instrument says when it is asked."""
    asked = 0

    def callback(_: Any) -> Iterator[Observation]:
        nonlocal asked
        asked += 1
        for attributes in points(instrument):
            told = asked if instrument.kind == "counter" else level(instrument)
            yield Observation(told, attributes)

    return callback


class Teller:
    """All instruments, told again and again."""

    def __init__(self, telemetry: ot.Telemetry) -> None:
        self._tracer, self._log = telemetry.tracer, logging.getLogger("teller")
        meter = metrics.get_meter("teller")  # the kit's own has some of the names already
        self._made = []
        for name, declared in INSTRUMENTS.items():
            if declared.observable:
                create(meter, name, [read(declared)])
            else:
                self._made.append((declared, create(meter, name)))
        for declared, made in self._made:
            for attributes in points(declared):
                if declared.kind == "up_down_counter":
                    made.add(level(declared), attributes)

    def tell(self) -> None:
        """Everything once, within a trace that fails."""
        with self._tracer.start_as_current_span("tick_to_trade") as span:
            for declared, made in self._made:
                for attributes in points(declared):
                    if declared.kind == "counter":
                        made.add(1, attributes)
                    elif declared.kind == "gauge":
                        made.set(level(declared), attributes)
                    elif declared.kind != "up_down_counter":
                        made.record(0.02, attributes)
            span.set_attributes({"error.type": "TimeoutError", "trading.trace.kept": "over_budget"})
            span.set_status(Status(StatusCode.ERROR))
            self._log.error("order refused")


def main() -> None:
    """Tell until the standard input ends."""
    telemetry = ot.configure(banner=False)
    teller = Teller(telemetry)
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        teller.tell()
    telemetry.shutdown(10)


if __name__ == "__main__":
    main()
