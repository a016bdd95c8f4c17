"""What works beside the bot: runtime telemetry, and the pump that looks after timers and events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.settings import Problem, report

if TYPE_CHECKING:
    from otel_trading import _native
    from otel_trading.instrument.queues import Queues
    from otel_trading.metrics.event_export import EventExport
    from otel_trading.metrics.event_options import EventOptions
    from otel_trading.metrics.instruments import Meter
    from otel_trading.metrics.timers import Timers
    from otel_trading.runtime import Runtime
    from otel_trading.settings import Settings


class Companions:
    """Started and changed by ``configure()``, stopped with telemetry."""

    def __init__(self, timers: Timers, queues: Queues) -> None:
        self._timers = timers
        self._queues = queues
        self.events: EventExport | None = None
        self._meter: Meter | None = None
        self._traces: _native.Traces | None = None
        self._measurements: _native.Measurements | None = None
        self.runtime: Runtime | None = None

    def start(self, meter: Meter, settings: Settings) -> None:
        """Work with these settings from now on; what fails costs itself."""
        on = settings.metrics_enabled and not settings.disabled
        for start in (self._start_events, self._start_runtime):
            try:
                start(meter, settings, on=on)
            except Exception as error:
                report(f"{start.__name__.rpartition('_')[2]} are not measured: {type(error).__name__}: {error}")

    def watch_traces(self, traces: _native.Traces | None) -> None:
        """Have the pump read the spans of the process's native provider."""
        if traces is None:
            return
        if traces is not self._traces:
            self._traces = traces
            self._timers.pump.add_traces(traces)
        self._timers.start()

    def watch_measurements(self, measurements: _native.Measurements) -> None:
        """Have the pump record what series hold."""
        if measurements is not self._measurements:
            self._measurements = measurements
            self._timers.pump.add_measurements(measurements)
        self._timers.start()

    def stop(self) -> None:
        """End the threads and take the hooks back."""
        if self.runtime is not None:
            self.runtime.stop()
        self._timers.stop()

    def restart_in_child(self) -> None:
        """Go on in a forked child."""
        self._timers.restart_in_child()
        if self.runtime is not None:
            self.runtime.restart_in_child()

    def _start_events(self, meter: Meter, settings: Settings, *, on: bool) -> None:
        options = _event_options(settings, on=on)
        if not options.enabled and self.events is None:
            return
        from otel_trading.metrics.event_collector import MetricsCollector
        from otel_trading.metrics.event_export import EventExport
        from otel_trading.metrics.event_recorder import reader

        if self.events is None:
            self._timers.pump.add_events(reader)
        if self._meter is not meter:  # another engine's
            self._meter, self.events = meter, EventExport(MetricsCollector(), meter)
            self._queues.also = self.events.depth
        MetricsCollector().configure(options)
        if options.enabled:
            self._timers.pump.set_interval(settings.event_interval)
            self._timers.start()

    def _start_runtime(self, meter: Meter, settings: Settings, *, on: bool) -> None:
        parts = [getattr(settings, f"runtime_{part}") for part in ("gc", "event_loops", "process", "system")]
        if not (on and settings.runtime_enabled and any(parts)):
            if self.runtime is not None:
                self.runtime.stop()
            return
        from otel_trading.runtime import RuntimeOptions, start_runtime

        self.runtime = start_runtime(
            meter,
            RuntimeOptions(
                gc=settings.runtime_gc,
                event_loops=settings.runtime_event_loops,
                process=settings.runtime_process,
                system=settings.runtime_system,
                interval=settings.runtime_interval,
                disk_interval=settings.runtime_disk_interval,
                disk_paths=settings.runtime_disk_paths,
                heartbeat=settings.runtime_heartbeat,
                stall_threshold=settings.stall_threshold,
                slow_threshold=settings.slow_threshold,
                memory_threshold=settings.memory_threshold or None,
                descriptor_threshold=settings.descriptor_threshold or None,
                cpu_threshold=settings.cpu_threshold or None,
                disk_threshold=settings.disk_threshold or None,
                container_memory_threshold=settings.container_memory_threshold or None,
            ),
        )


def _event_options(settings: Settings, *, on: bool) -> EventOptions:
    from otel_trading.metrics.event_options import BUDGETS, EventOptions

    def options(budgets: dict[str, float | str]) -> EventOptions:
        return EventOptions(
            enabled=on and settings.events_enabled,
            sampling_rate=settings.event_sampling_rate,
            sampling_threshold=settings.event_sampling_threshold,
            export_enabled=settings.events_exported,
            buffer_size=settings.event_buffer_size,
            aggregation_interval_ms=max(1, round(settings.event_interval * 1_000)),
            sla_thresholds=budgets,
        )

    try:
        return options(dict(settings.budgets))
    except ValueError as error:
        allowed = "stage=duration pairs, comma separated, such as order_execution=5ms"
        report(Problem("budgets", str(settings.budgets), f"{allowed} ({error})", "the usual budgets", "settings"))
        return options(dict(BUDGETS))
