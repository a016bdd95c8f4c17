"""Where instrumentations say what they see: the bot's own telemetry, or any providers of OpenTelemetry."""

from __future__ import annotations

from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import Tracer

    from otel_trading.metrics.instruments import Meter
    from otel_trading.trading.facade import Trading

SCOPE = "otel_trading.instrument"
_NONE: Mapping[str, str] = MappingProxyType({})


def _always() -> bool:
    return True


class Reporting:
    """What an instrumentation measures with.

    Args:
        meter: for its instruments.
        tracer: for its spans.
        trading: what it says of trading, or what makes that when it is asked for.
        venue_hosts: venues by host, as the settings name them.
        orders: whether instrumentations tell what happens to orders; not in a bot that tells it itself.
        trace_hosts: hosts, and what is below them, that are sent trace headers.
        enabled: whether telemetry takes anything at the moment.
        guard: why no new order may go out at the moment, if so; without one nothing is refused.

    """

    def __init__(
        self,
        meter: Meter,
        tracer: Tracer,
        trading: Trading | Callable[[], Trading],
        venue_hosts: Mapping[str, str] = _NONE,
        *,
        orders: bool = True,
        trace_hosts: tuple[str, ...] = (),
        enabled: Callable[[], bool] = _always,
        guard: Callable[[], str | None] | None = None,
    ) -> None:
        self.meter = meter
        self.tracer = tracer
        self._trading = trading
        self.venue_hosts = venue_hosts
        self.orders = orders
        self.trace_hosts = trace_hosts
        self.enabled = enabled
        self.guard = guard

    @cached_property
    def trading(self) -> Trading:
        """What it says of trading."""
        return self._trading() if callable(self._trading) else self._trading


_current: Callable[[], Reporting] | None = None


def use(reporting: Callable[[], Reporting] | None) -> None:
    """Have instrumentations that are given no providers report there from now on."""
    global _current  # noqa: PLW0603 - like OpenTelemetry's providers, which are global too
    _current = reporting


def reporting(given: Mapping[str, Any]) -> Reporting:
    """By the keywords that ``instrument()`` was called with.

    Without ``meter_provider`` and ``tracer_provider`` it is the bot's telemetry, or the global providers where
    ``configure()`` was not called.
    """
    meter_provider, tracer_provider = given.get("meter_provider"), given.get("tracer_provider")
    if meter_provider is None and tracer_provider is None and _current is not None:
        return _current()
    from otel_trading.trading.facade import Trading

    meter: Any = (meter_provider or metrics.get_meter_provider()).get_meter(SCOPE)
    tracer: Tracer = (tracer_provider or trace.get_tracer_provider()).get_tracer(SCOPE)
    return Reporting(meter, tracer, Trading(meter, tracer, _NoLines()))


class _NoLines:
    """Other distributions have no log lines of ours."""

    def write(self, *_: object, **__: object) -> None:
        """Nowhere."""
