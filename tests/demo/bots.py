"""A bot with quick trades on venues in this process, its telemetry kept in memory."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_trading._native import Clock
from otel_trading.demo.bot import BasisBot, Parameters, Settings
from otel_trading.demo.exchange import make_exchange
from otel_trading.demo.report import Report
from otel_trading.demo.tally import Tally

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from opentelemetry.sdk.metrics.export import Metric
    from opentelemetry.sdk.trace import ReadableSpan

    from otel_trading import Telemetry
    from otel_trading.demo.venue import Venues

QUICK = Settings(strategy=Parameters(warm_up=1.0, entry=0.3, floor_bps=0.5, exit=0.0, longest_hold=1.0))


class Kept:
    """Telemetry that stays here."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self._meters = MeterProvider([self._reader], shutdown_on_exit=False)
        handle = SimpleNamespace(tracer=tracers.get_tracer("bot"), meter=self._meters.get_meter("bot"))
        self.handle = cast("Telemetry", handle)

    def traces(self) -> dict[int, list[ReadableSpan]]:
        """All finished spans by trace id."""
        found: dict[int, list[ReadableSpan]] = {}
        for span in self._spans.get_finished_spans():
            found.setdefault(span.context.trace_id, []).append(span)
        return found

    def metrics(self) -> dict[str, Metric]:
        """All metrics by name."""
        data = self._reader.get_metrics_data()
        assert data is not None
        return {
            metric.name: metric for r in data.resource_metrics for scope in r.scope_metrics for metric in scope.metrics
        }


@asynccontextmanager
async def trading(
    venues: Venues, settings: Settings = QUICK, telemetry: Kept | None = None
) -> AsyncIterator[tuple[BasisBot, Tally]]:
    """Let a bot trade while the block runs, and stop it in order."""
    tally, now_ns = Tally(), Clock().now_ns
    bot = BasisBot(Report((telemetry or Kept()).handle, now_ns, tally), settings, now_ns=now_ns)
    try:
        await bot.connect(lambda name, on_frame: make_exchange(name, venues.urls[name], on_frame=on_frame))
        await venues.start()
        yield bot, tally
    finally:
        await bot.stop()


async def until(condition: Callable[[], Any], within: float = 20.0) -> None:
    """Wait for a condition."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            while not condition():  # noqa: ASYNC110 - the bot does not announce what is waited for
                await asyncio.sleep(0.01)
    assert condition()
