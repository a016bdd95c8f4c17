"""Telling of changes: log lines at a bounded rate, metrics, listeners."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from otel_trading.health.judging import in_words
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Observation

    from otel_trading.health.model import Component, Condition, State
    from otel_trading.metrics.instruments import Meter
    from otel_trading.trading.fanout import Lines

_SERVICE = "health_monitor"
_MOST_LINES, _WITHIN = 6, 60.0
"""Lines about one component within so many seconds."""
_SAID_ELSEWHERE = frozenset({"collector", "telemetry"})
"""Kinds of components that whoever delivers speaks of."""
_MOST_COMPONENTS = 2_000
_COMPONENT, _STATE, _CRITICAL = "trading.health.component", "trading.health.state", "trading.health.critical"
_INFO, _WARNING, _ERROR = 9, 13, 17
_LEVELS: dict[State, int] = {"healthy": _INFO, "degraded": _WARNING, "down": _ERROR}


class _Said:
    """What was said of one component last, and when."""

    __slots__ = ("changes", "last", "state", "times")

    def __init__(self) -> None:
        self.state: State = "healthy"
        self.last: State = "healthy"
        self.changes = 0
        self.times: deque[float] = deque(maxlen=_MOST_LINES)


class Announcer:
    """Says how components are once they are another way than what was said last; used by one thread."""

    def __init__(self, lines: Callable[[], Lines | None], clock: Callable[[], float]) -> None:
        self._lines = lines
        self._clock = clock
        self._said: dict[str, _Said] = {}
        self._duration: Any = None
        self._complaints = Complaints("listeners of health")

    def observe(self, meter: Meter, components: Callable[[], Iterable[Component]]) -> None:
        """Show states, and take durations of checks, with this meter's instruments from now on."""

        def states(_: CallbackOptions) -> Iterable[Observation]:
            from opentelemetry.metrics import Observation

            for component in components():
                name, critical = component.name, component.critical
                for state in _LEVELS:
                    of_what: dict[str, str | bool] = {_COMPONENT: name, _CRITICAL: critical, _STATE: state}
                    yield Observation(int(component.state == state), of_what)

        meter.create_observable_up_down_counter(
            "trading.health.state", [states], "{component}", "1 for the state of a component, 0 for the others."
        )
        self._duration = meter.create_histogram("trading.health.check.duration", "s", "How long a check took.")

    def checked(self, name: str, state: State, seconds: float) -> None:
        """A check took so long."""
        if self._duration is not None:
            self._duration.record(seconds, {_COMPONENT: name, _STATE: state})

    def say(self, components: Iterable[Component]) -> None:
        """Say what is another way than before."""
        now = self._clock()
        there: set[str] = set()
        for component in components:
            if component.kind in _SAID_ELSEWHERE:
                continue
            there.add(component.name)
            said = self._said.get(component.name)
            if said is None:
                if component.state == "healthy" or len(self._said) >= _MOST_COMPONENTS:
                    continue
                said = self._said[component.name] = _Said()
            said.changes += said.last != component.state
            said.last = component.state
            if said.state == component.state:
                continue
            if len(said.times) == _MOST_LINES and now - said.times[0] < _WITHIN:
                continue
            said.times.append(now)
            before, said.state = said.state, component.state
            more, said.changes = said.changes - 1, 0
            self._line(component, before, more)
        for name in [name for name in self._said if name not in there]:
            del self._said[name]

    def condition(self, condition: Condition, *, began: bool) -> None:
        """Say that a condition began, or is over."""
        lines = self._lines()
        if lines is None:
            return
        message = f"{condition}" if began else f"{condition.kind}({condition.subject}) is over"
        data = {"condition": condition.kind, "subject": condition.subject, "value": condition.value}
        data["limit"] = condition.limit
        event = "health_condition_began" if began else "health_condition_ended"
        lines.write(_WARNING if began else _INFO, message, event, _SERVICE, data, ("health",))

    def tell(self, listeners: Iterable[Callable[..., object]], *what: object) -> None:
        """Call listeners; what they raise is said once, and goes no further."""
        for listener in list(listeners):
            try:
                listener(*what)
            except Exception as error:
                name = getattr(listener, "__qualname__", repr(listener))
                self._complaints.say(f"{name}, which listens to health, failed: {type(error).__name__}: {error}")

    def clear(self) -> None:
        """Begin with nothing said, as in a forked child."""
        self._said.clear()

    def _line(self, component: Component, before: State, more: int) -> None:
        lines = self._lines()
        if lines is None:
            return
        message = in_words(component)
        if more > 0:
            message = f"{message} (and {more} more changes since the last such line)"
        level = _LEVELS[component.state]
        if component.state == "down" and not component.critical:
            level = _WARNING
        data: dict[str, object] = {
            _COMPONENT: component.name,
            _STATE: component.state,
            "previous": before,
            _CRITICAL: component.critical,
            "reasons": list(component.reasons),
        }
        lines.write(level, message, "health_changed", _SERVICE, data, ("health",))
