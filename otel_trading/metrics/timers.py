"""All timers of a process, the thread that looks after them, and what they tell."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from otel_trading import _native
from otel_trading.metrics.over_budget import over_budget
from otel_trading.metrics.timer import Timer
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable

    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.util.types import Attributes

    from otel_trading.metrics.instruments import Meter

_LOGGER = logging.getLogger("otel_trading.timers")
_LONGEST_RUN = 1.0
"""Seconds between two turns of what is done beside."""
_STAGE = "trading.stage.name"
_SIZE, _SCALE = 2_048, 6
"""64 buckets an octave over 32 octaves, 1 ns to 4 s: percentiles within 0.55 %."""


class Timers:
    """Makes timers, and starts the pump's thread with the first one."""

    def __init__(self, meter: Callable[[], Meter]) -> None:
        self._meter = meter
        self._timers: dict[tuple[Hashable, ...], tuple[str, dict[str, Any], Timer]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._registry = _native.Registry()
        self.pump = _native.Pump()
        self.chores: list[Callable[[], None]] = []
        """What else the pump's thread does, about once a second."""

    def timer(self, name: str, budget: float | None, description: str, attributes: Attributes) -> Timer:
        """The timer of this name and these attributes; a budget given again holds from then on."""
        name, own = f"{name}", self._usable(name, attributes)
        key = (self._engine, name, description, tuple(sorted((k, type(v), str(v)) for k, v in own.items())))
        with self._lock:
            if key not in self._timers:
                self._timers[key] = (name, own, self._made(name, budget, description, own))
                self._start()
            timer = self._timers[key][2]
        if budget is not None and timer.budget != budget:
            timer.budget = budget
        return timer

    @property
    def _engine(self) -> type[Meter]:
        """What makes histograms now: a timer of the other engine is measured by nobody."""
        return type(self._meter())

    def _made(self, name: str, budget: float | None, description: str, attributes: dict[str, Any]) -> Timer:
        stage = str(attributes.get(_STAGE, name))
        histogram: Any = self._meter().create_histogram(name, "s", description)
        if not isinstance(histogram, _native.Histogram):
            from otel_trading.metrics.stopwatch import MirroredTimer

            return MirroredTimer.of(histogram, self._own(name), attributes, self.pump, stage, budget=budget)
        _native.refine(histogram, _SIZE, _SCALE)
        try:
            return Timer(histogram, attributes, self.pump, stage, budget=budget)
        except TypeError:  # it records nothing: switched off, left out by a view, or of a name that cannot be exported
            return Timer(self._own(name), None, self.pump, stage, budget=budget)

    def _own(self, name: str) -> _native.Histogram:
        """A histogram that nobody exports, with one series."""
        own: Any = self._registry.instrument("histogram", 0, name, "s")
        _native.refine(own, _SIZE, _SCALE)
        self._registry.stream(own, name, "", "histogram")
        return own  # type: ignore[no-any-return]

    def _usable(self, name: str, attributes: Attributes) -> dict[str, Any]:
        try:
            return dict(attributes or {})
        except (TypeError, ValueError):
            report(f"timer {name!r} has no attributes: {attributes!r} are none")
            return {}

    def all(self) -> list[tuple[str, dict[str, Any], Timer]]:
        """The timers of the engine in use: name, attributes, timer."""
        engine = self._engine
        return [made for key, made in list(self._timers.items()) if key[0] is engine]

    def budgets(self) -> dict[str, float]:
        """Seconds by timer, of those that have a budget."""
        found = {name: timer.budget for name, _, timer in list(self._timers.values())}
        return {name: budget for name, budget in found.items() if budget is not None}

    def start(self) -> None:
        """Start the pump's thread if it does not run."""
        with self._lock:
            self._start()

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self.pump.resume()
            self._thread = threading.Thread(target=self._run, name="otel-pump", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # no threads while the interpreter shuts down
                self._thread = None

    def _run(self) -> None:
        while True:
            try:
                notices = self.pump.run(_LONGEST_RUN)
            except Exception as error:
                report(f"timers have no windows any more: {type(error).__name__}: {error}")
                return
            if notices is None:
                return
            for notice in notices:
                tell(*notice)
            for chore in self.chores:
                self._do(chore)

    def _do(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except Exception as error:
            self.chores = [each for each in self.chores if each is not chore]
            report(f"{chore!r} is not done any more: {type(error).__name__}: {error}")

    def stop(self) -> None:
        """End the thread until something needs it again."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self.pump.stop()
            thread.join(1.0)

    def restart_in_child(self) -> None:
        """Go on in a forked child, from zero."""
        self._lock = threading.Lock()
        self.pump.reset_in_child()
        if self._thread is not None:
            self._thread = None
            self._start()

    def violations(self, _: CallbackOptions) -> Iterable[Observation]:
        """Measurements over their budget, by the timer's stage or name."""
        from opentelemetry.metrics import Observation

        for name, attributes, timer in self.all():
            if timer.budget is not None and timer.count:
                yield Observation(timer.violations, {_STAGE: name, **attributes})


def tell(name: str, text: str | None, violations: int, worst: float, budget: float) -> None:
    """Log what the pump has to say; it says it at a bounded rate."""
    if text is not None:
        _LOGGER.warning("%s: %s", name, text)
        return
    _LOGGER.warning("%s", over_budget(name, worst, budget, violations), extra={_STAGE: name})
