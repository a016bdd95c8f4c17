"""The parts of runtime telemetry, their one thread, and starting and stopping them."""

from __future__ import annotations

import os
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any

from otel_trading.forks import whole_imports
from otel_trading.runtime.garbage import GarbageWatch
from otel_trading.runtime.loop import LoopWatch
from otel_trading.runtime.options import RuntimeOptions
from otel_trading.runtime.readings import Psutil, Readings
from otel_trading.runtime.slow import SlowOperations
from otel_trading.runtime.thresholds import Thresholds
from otel_trading.runtime.troubles import Troubles
from otel_trading.runtime.voice import Voice
from otel_trading.runtime.worker import Worker
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Histogram, Meter

    from otel_trading.runtime.disk import DiskSampler
    from otel_trading.runtime.readings import Observations
    from otel_trading.runtime.worker import Run

    Measure = Callable[[], dict[str, Observations]]

GC_INTERVAL = 1.0
"""Seconds between two drains of the garbage collector's pauses."""

_NEVER = float("inf")


class Runtime:
    """Runtime telemetry of this process, made by ``start_runtime``.

    ``thresholds`` can be changed and subscribed to at any time. Nothing here raises because of what it measures.
    """

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.options = RuntimeOptions()
        self._lock = threading.RLock()
        self._troubles = Troubles(meter)
        self._voice = Voice()
        self.thresholds = Thresholds(meter, self._troubles)
        self.slow_operations = SlowOperations(meter)
        self.loops = LoopWatch(meter, self._troubles, self._voice)
        self._garbage = GarbageWatch(meter)
        self._readings = Readings(meter)
        self._worker = Worker(self._troubles)
        self._samplers: dict[str, Measure] | None = None
        self._disk_sampler: DiskSampler | None = None
        self._running = False
        self._owner = os.getpid()

    @property
    def running(self) -> bool:
        """Whether it measures."""
        return self._running

    @property
    def pauses(self) -> Histogram:
        """What the garbage collector's pauses are recorded with."""
        return self._garbage.duration

    @property
    def errors(self) -> int:
        """Errors inside runtime telemetry so far, which are also in ``trading.runtime.errors``."""
        return self._troubles.total

    def start(self, options: RuntimeOptions) -> None:
        """Measure with these options from now on; with the same options as before nothing changes."""
        with self._lock:
            if self._running and options == self.options:
                return
            self._stop_thread()
            self._use_limits(options)
            self.options = options
            self._running = True
            self.slow_operations.threshold = options.slow_threshold
            if options.gc:
                self._garbage.install()
            else:
                self._garbage.remove()
            if options.event_loops:
                self.loops.install(options)
            else:
                self.loops.remove()
            self._worker.start(self._jobs())

    def stop(self, timeout: float = 2.0) -> bool:
        """Measure no more and take every hook back; whether the thread ended within ``timeout`` seconds."""
        with self._lock:
            if not self._running:
                return True
            self._running = False
            ended = self._stop_thread(timeout)
            self.loops.remove()
            self._garbage.remove()
            return ended

    def restart_in_child(self) -> None:
        """Go on in a forked child: from zero, with a thread of its own; in the parent it does nothing."""
        if self._owner == os.getpid():
            return
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._voice.restart_in_child()
        self._troubles.restart_in_child()
        self.thresholds.restart_in_child()
        self.slow_operations.restart_in_child()
        self.loops.restart_in_child()
        self._garbage.restart_in_child()
        self._readings.clear()
        if self._running:
            self._worker.start(self._jobs())

    def _use_limits(self, options: RuntimeOptions) -> None:
        """Set the limits that are new or changed; what was set by hand stays."""
        before = self.options.limits() if self._running else {}
        for resource, limit in options.limits().items():
            if resource not in before or limit != before[resource]:
                self.thresholds.set(resource, limit)

    def _stop_thread(self, timeout: float = 2.0) -> bool:
        ended = self._worker.stop(timeout)
        self._readings.clear()
        return ended

    def _jobs(self) -> dict[str, Run]:
        """What the thread does, the most urgent first."""
        options = self.options
        jobs: dict[str, Run] = {}
        if options.event_loops:
            jobs["event_loop"] = self.loops.look
        if options.gc:
            jobs["gc"] = self._drain_garbage
        if options.process or options.system:
            jobs["resources"] = self._resources
        if options.system:
            jobs["disk"] = self._disks
        self._samplers, self._disk_sampler = None, None
        return jobs

    def _drain_garbage(self, now: float) -> float:
        self._garbage.drain()
        return now + GC_INTERVAL

    def _resources(self, now: float) -> float:
        if self._samplers is None:
            psutil = _psutil()
            if psutil is None:
                return _NEVER
            self._samplers = self._measures(psutil)
        for component, measure in self._samplers.items():
            self._show(component, measure)
        return now + self.options.interval

    def _disks(self, now: float) -> float:
        if self._disk_sampler is None:
            psutil = _psutil(quietly=True)
            if psutil is None:
                return _NEVER
            with whole_imports():
                from otel_trading.runtime import disk

            self._readings.declare(disk.ROWS)
            self._disk_sampler = disk.DiskSampler(psutil, self.options.disk_paths, self.thresholds, self._troubles)
        self._show("disk", self._disk_sampler.space)
        return now + self.options.disk_interval

    def _measures(self, psutil: Psutil) -> dict[str, Measure]:
        with whole_imports():
            from otel_trading.runtime import process, system  # like psutil, by the thread that needs them

        measures: dict[str, Measure] = {}
        if self.options.process:
            self._readings.declare(process.ROWS)
            own = process.ProcessSampler(psutil, self.thresholds)
            measures |= {
                "process.cpu": own.cpu,
                "process.memory": own.memory,
                "process.thread": own.threads,
                "process.open_file_descriptor": own.descriptors,
                "process.context_switches": own.context_switches,
            }
        if self.options.system:
            self._readings.declare(system.ROWS)
            machine = system.SystemSampler(psutil, self.thresholds)
            measures |= {
                "system.cpu": machine.cpu,
                "system.memory": machine.memory,
                "container.memory": machine.container,
                "system.network": machine.network,
                "system.network.connection": machine.connections,
                "system.cpu.load_average": machine.load,
            }
        return measures

    def _show(self, component: str, measure: Measure) -> None:
        """Show what a component reads now; what fails is counted, and its old values are not repeated."""
        try:
            values = measure()
        except Exception as error:
            self._troubles.note(component, error)
            values = {}
        self._readings.show(component, values)


def _psutil(*, quietly: bool = False) -> Psutil:
    """The module, or ``None``; imported by the thread that needs it, so that starting the bot does not wait for it."""
    try:
        with whole_imports():
            module: Any = import_module("psutil")
    except ImportError as error:
        if not quietly:
            report(f"the resources of process and system are not measured: {error}; run: pip install psutil")
        return None
    return module
