"""Threads and event loops that have to answer: which of them are stuck, and where."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from otel_trading.health.model import Component, worst
from otel_trading.runtime.stacks import culprit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from otel_trading.health.model import State
    from otel_trading.runtime.loop import LoopState

_MOST = 1_000


class Watched:
    """Somebody who gives a sign again and again; made by ``HealthMonitor.watched``, for a ``with`` statement.

    Calling it is the sign.
    """

    __slots__ = ("_clock", "_last", "_leave", "_thread", "critical", "name", "timeout")

    def __init__(
        self, name: str, timeout: float, clock: Callable[[], float], leave: Callable[[Watched], None], *, critical: bool
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.critical = critical
        self._clock = clock
        self._leave = leave
        self._thread = threading.get_ident()
        self._last = clock()

    def __call__(self) -> None:
        """Give a sign, from the thread that is watched."""
        self._thread = threading.get_ident()
        self._last = self._clock()

    def __enter__(self) -> Self:
        self()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave(self)

    def overdue(self, now: float) -> bool:
        """Whether its sign has not come in time."""
        return now - self._last > self.timeout

    def component(self, now: float, now_ns: int) -> Component:
        """How it is now, with its stack where it is stuck."""
        quiet = max(0.0, now - self._last)
        details: dict[str, object] = {"seconds_since_sign": round(quiet, 3), "timeout": self.timeout}
        if quiet <= self.timeout:
            return Component(f"thread {self.name}", "healthy", self.critical, (), details, (), 0, now_ns, "thread")
        frames = culprit(self._thread)
        details["stack"] = list(frames)
        said = f"no sign for {quiet:.1f} s, it is {_where(frames)}"
        return Component(f"thread {self.name}", "down", self.critical, (said,), details, (), 0, now_ns, "thread")


class Watches:
    """Everybody who is watched."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._watched: dict[int, Watched] = {}

    def watch(self, name: str, timeout: float, *, critical: bool) -> Watched:
        """Watch somebody from now on."""
        watched = Watched(name, timeout, self._clock, self._forget, critical=critical)
        if len(self._watched) < _MOST:
            self._watched[id(watched)] = watched
        return watched

    def all(self) -> list[Watched]:
        """Who is watched now."""
        return list(self._watched.values())

    def components(self, now: float, now_ns: int) -> list[Component]:
        """How everybody is now; of several of one name the worst is told."""
        found: dict[str, Component] = {}
        for watched in self.all():
            component = watched.component(now, now_ns)
            before = found.get(component.name)
            if before is None or worst(before.state, component.state) != before.state:
                found[component.name] = component
        return list(found.values())

    def clear(self) -> None:
        """Watch nobody, as in a forked child: their threads are the parent's."""
        self._watched.clear()

    def _forget(self, watched: Watched) -> None:
        self._watched.pop(id(watched), None)


def loop_components(states: Iterable[LoopState], stuck_after: float, now_ns: int) -> list[Component]:
    """Event loops by the name of their thread; of several of one name the one that is overdue most is told.

    >>> from otel_trading.runtime.loop import LoopState
    >>> [loop] = loop_components([LoopState("MainThread", 12.0, ("bot.py:7 decide",))], 5.0, 0)
    >>> loop.state, loop.reasons
    ('down', ('stuck for 12.0 s in bot.py:7 decide',))
    """
    latest: dict[str, LoopState] = {}
    for state in states:
        known = latest.get(state.thread)
        if known is None or state.overdue > known.overdue:
            latest[state.thread] = state
    return [_loop(state, stuck_after, now_ns) for state in latest.values()]


def _loop(loop: LoopState, stuck_after: float, now_ns: int) -> Component:
    details: dict[str, object] = {"overdue_seconds": round(loop.overdue, 3)}
    reasons: tuple[str, ...] = ()
    state: State = "healthy"
    if loop.frames or loop.overdue >= stuck_after:
        state = "down" if loop.overdue >= stuck_after else "degraded"
        details["stack"] = list(loop.frames)
        word = "stuck" if state == "down" else "stalled"
        reasons = (f"{word} for {loop.overdue:.1f} s {_where(loop.frames)}",)
    return Component(f"event_loop {loop.thread}", state, True, reasons, details, (), 0, now_ns, "event_loop")


def _where(frames: tuple[str, ...]) -> str:
    return f"in {' <- '.join(frames)}" if frames else "in no callback now"
