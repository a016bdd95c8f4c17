"""Capturing everything a bot reports, for the length of a test."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from unittest import mock

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider, sampling

from otel_trading.export.destination import SIGNALS
from otel_trading.export.ledger import Ledger
from otel_trading.pipeline import Pipeline
from otel_trading.resource import build_resource
from otel_trading.settings import Settings
from otel_trading.testing.clock import START, FakeClock
from otel_trading.testing.companions import begin_at_zero
from otel_trading.testing.engines import measuring
from otel_trading.testing.loop import run
from otel_trading.testing.metrics import CapturedMetrics
from otel_trading.testing.signals import CapturedLogs, CapturedSpans, LogCollector, SequentialIds, SpanCollector
from otel_trading.testing.stand_ins import captured_by, foreign_providers

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator
    from datetime import datetime
    from typing import Literal

    from opentelemetry._logs import Logger
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import Tracer

    from otel_trading.metrics.instruments import Meter
    from otel_trading.settings import Resolved
    from otel_trading.telemetry import Telemetry
    from otel_trading.testing.engines import Engine

_T = TypeVar("_T")


@contextmanager
def capture(
    *,
    engine: Literal["native", "sdk"] | None = None,
    start: datetime | float = START,
    real_time: bool = False,
    deterministic_ids: bool = False,
    log_level: str = "INFO",
) -> Iterator[Captured]:
    """Capture all telemetry inside the block; no thread is started, no port opened, nothing is sent.

    What the bot does with ``otel_trading.configure()``, with OpenTelemetry's API or with ``logging`` is captured
    alike, also where the environment switches telemetry off, as many test runs do. Every block starts empty, counters
    at zero. Instruments made earlier on the same engine are captured too, except observables that another block made.
    Afterwards everything is as it was before, except that totals of the native engine begin anew.

    ``engine`` is the one that measures, the default one if not given. The clock stands at ``start`` until the test
    moves it, unless ``real_time`` is set. With ``deterministic_ids`` traces and spans are numbered.

    >>> with capture(deterministic_ids=True) as telemetry:
    ...     with telemetry.tracer.start_as_current_span("order.submit"):
    ...         telemetry.advance(0.25)
    ...     span = telemetry.traces.one("order.submit")
    >>> span.duration, int(span.trace_id, 16)
    (0.25, 1)
    """
    clock = None if real_time else FakeClock(start)
    with ExitStack() as stack:
        stack.enter_context(_switched_on())
        if clock is not None:
            stack.enter_context(clock.stamping())
        name = engine or Settings.model_fields["engine"].default
        measures = stack.enter_context(measuring(name, clock))
        sinks = _Sinks(measures, clock, deterministic_ids=deterministic_ids)
        options = {"engine": name, "log_level": log_level}
        handle = stack.enter_context(captured_by(sinks.pipeline, options, measures.native))
        if clock is not None:
            handle.tell_time(clock.time_ns)
            stack.callback(handle.tell_time, None)
        stack.callback(begin_at_zero, handle)
        yield Captured(handle, sinks, clock)


class _Sinks:
    """The providers of one capture and what they collect."""

    def __init__(self, engine: Engine, clock: FakeClock | None, *, deterministic_ids: bool) -> None:
        self.engine = engine
        self.spans = SpanCollector()
        self.logs = LogCollector(clock)
        ids = SequentialIds() if deterministic_ids else None
        self._tracer_provider = TracerProvider(sampling.ALWAYS_ON, shutdown_on_exit=False, id_generator=ids)
        self._tracer_provider.add_span_processor(self.spans)
        self._logger_provider = LoggerProvider(shutdown_on_exit=False)
        self._logger_provider.add_log_record_processor(self.logs)

    def pipeline(self, resolved: Resolved) -> Pipeline:
        """What stands behind the API: the same sinks after every reconfiguration; signals that are off go nowhere."""
        settings = resolved.settings
        metrics = self.engine.provider
        if self.engine.native is not None:
            self.engine.native.enabled = settings.metrics_enabled
        elif not settings.metrics_enabled:
            metrics = MeterProvider(shutdown_on_exit=False)
        off = TracerProvider(sampling.ALWAYS_OFF, shutdown_on_exit=False)
        return Pipeline(
            build_resource(settings, "test"),
            self._tracer_provider if settings.traces_enabled else off,
            metrics,
            self._logger_provider if settings.logs_enabled else LoggerProvider(shutdown_on_exit=False),
            None,
            {signal: Ledger(signal) for signal in SIGNALS},
            dict.fromkeys(SIGNALS, ("captured",)),
            native=self.engine.native,
        )


class Captured:
    """What the test reads: ``metrics``, ``traces`` and ``logs``; and the handle that ``configure()`` returns.

    Everything the handle has is here too, such as ``meter``, ``tracer`` and ``timer``.
    """

    def __init__(self, handle: Telemetry, sinks: _Sinks, clock: FakeClock | None) -> None:
        self.handle = handle
        self.metrics = CapturedMetrics(sinks.engine.collect, _hint)
        self.traces = CapturedSpans(sinks.spans.spans)
        self.logs = CapturedLogs(sinks.logs.logs)
        self._clock = clock

    @property
    def clock(self) -> FakeClock:
        """The clock that telemetry is stamped by."""
        if self._clock is None:
            raise RuntimeError("there is no clock to move: this capture uses the real time")
        return self._clock

    @property
    def resource(self) -> Resource:
        """The resource that would be reported."""
        return self.handle._pipeline.resource  # noqa: SLF001 - the kit's own

    @property
    def meter(self) -> Meter:
        """A meter for the test's own instruments."""
        return self.handle.meter

    @property
    def tracer(self) -> Tracer:
        """A tracer for the test's own spans."""
        return self.handle.tracer

    @property
    def logger(self) -> Logger:
        """An OpenTelemetry logger for the test's own records."""
        return self.handle.logger

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)

    def run(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine to its end; sleeping takes no time and moves the clock."""
        return run(coroutine, self.clock)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the handle has
        return getattr(self.handle, name)


@contextmanager
def _switched_on() -> Iterator[None]:
    with mock.patch.dict(os.environ):
        for name in ("OTEL_SDK_DISABLED", "OTEL_TRADING_DISABLED"):
            os.environ.pop(name, None)
        yield


def _hint() -> str:
    foreign = foreign_providers()
    return f"\nnot captured, because others made them global: {', '.join(foreign)}" if foreign else ""
