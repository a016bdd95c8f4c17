"""prometheus_client as a contender."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from otel_trading.bench.contenders.base import OBSERVED, PER_INSTRUMENT, PROMETHEUS, Contender, Made

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Prometheus(Contender):
    """prometheus_client with its default histogram bounds."""

    name = PROMETHEUS
    distribution = "prometheus_client"

    @cached_property
    def registry(self) -> Made:
        from prometheus_client import CollectorRegistry

        return CollectorRegistry()

    def _made(self, kind: str, name: str, labels: Sequence[str]) -> Made:
        import prometheus_client as client

        made = {
            "counter": client.Counter,
            "gauge": client.Gauge,
            "histogram": client.Histogram,
            "timer": client.Histogram,
        }
        return made[kind](name.replace(".", "_"), "", labels, registry=self.registry)

    def instrument(self, kind: str, name: str) -> Made:
        return self._made(kind, name, ["venue", "symbol"]).labels("binance", "BTC/USDT")

    def populate(self, series: int) -> None:
        sizes = self._made("histogram", "bot.other.size", ["number"])
        for number in range(series):
            sizes.labels(number).observe(1.0)

    @cached_property
    def counter(self) -> Made:
        return self._made("counter", "bot.frames", ["venue", "symbol"])

    @cached_property
    def histogram(self) -> Made:
        return self._made("histogram", "bot.size", ["venue", "symbol"])

    @cached_property
    def decorated(self) -> Made:
        return self.timer.time()(self.plain)

    @cached_property
    def observed(self) -> Made:
        from prometheus_client import CollectorRegistry, Gauge

        registry = CollectorRegistry()
        ages = Gauge("bot_age", "", ["number"], registry=registry)
        for number in range(OBSERVED):
            ages.labels(number).set_function(lambda: 1.0)
        return _Collected(registry)

    def encoder(self, series: int) -> Callable[[], int]:
        from prometheus_client import CollectorRegistry, Histogram, generate_latest

        registry = CollectorRegistry()
        for first in range(0, series, PER_INSTRUMENT):
            histogram = Histogram(f"bot_size_{first}", "", ["number"], registry=registry)
            for number in range(min(PER_INSTRUMENT, series - first)):
                histogram.labels(number).observe(2.5)
        return lambda: len(generate_latest(registry))

    def export(self) -> None:
        from prometheus_client import generate_latest

        generate_latest(self.registry)


class _Collected:
    """A registry of prometheus_client that is collected as a reader of the SDK is."""

    def __init__(self, registry: Made) -> None:
        self._registry = registry

    def collect(self) -> None:
        for family in self._registry.collect():
            list(family.samples)
