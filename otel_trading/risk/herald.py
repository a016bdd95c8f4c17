"""Saying that trading is stopped, everywhere: in the log, in metrics, as a trading event, to listeners."""

from __future__ import annotations

import logging
import shlex
import threading
from typing import TYPE_CHECKING, Any, Protocol

from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from opentelemetry.trace import Tracer

    from otel_trading.metrics.instruments import Meter
    from otel_trading.risk.callbacks import CallbackOutcome, Callbacks
    from otel_trading.risk.state import EmergencyState
    from otel_trading.trading.facade import Trading

    Listener = Callable[[EmergencyState], object]

_logger = logging.getLogger("otel_trading")
_TRIGGER = "emergency_stop"


class Bot(Protocol):
    """What the bot is told by: the telemetry handle."""

    @property
    def trading(self) -> Trading:
        """Its events."""
        ...

    @property
    def meter(self) -> Meter:
        """Its metrics."""
        ...

    @property
    def tracer(self) -> Tracer:
        """Its traces."""
        ...

    def flight_snapshot(self) -> Path | None:
        """Keep what the flight recorder holds."""
        ...


class Herald:
    """Tells of stops and of their ends; what fails costs itself, and is counted."""

    def __init__(self, bot: Bot | None, callbacks: Callbacks) -> None:
        self._bot = bot
        self._callbacks = callbacks
        self._listeners: tuple[Listener, ...] = ()
        self.service = ""
        self.failures = 0
        """What raised: listeners and ways to tell; callbacks have a count of their own."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have it told of every change; what undoes that."""
        self._listeners = (*self._listeners, listener)

        def undo() -> None:
            self._listeners = tuple(each for each in self._listeners if each is not listener)

        return undo

    def stopped(self, state: EmergencyState, over: Callable[[], bool]) -> None:
        """Trading was stopped just now."""
        runs = self._callbacks.start(state)
        work = threading.Thread(target=self._follow, args=(runs, over), name="otel-emergency", daemon=True)
        self._try(work.start)
        self._say_stopped(state, f"EMERGENCY STOP: trading is {state}; no order goes out. {self._how()}")
        self._count(state)
        self._tell(state)

    def found(self, state: EmergencyState) -> None:
        """Trading was stopped before this process began; callbacks were called by then."""
        self._say_stopped(state, f"EMERGENCY STOP holds: trading is {state}; no order goes out. {self._how()}")
        self._tell(state)

    def resumed(self, state: EmergencyState) -> None:
        """Trading was resumed."""
        self._try(_logger.warning, "otel-trading: trading is %s", state)
        if self._bot is not None:
            trading = self._bot.trading
            self._try(trading.resumed, _TRIGGER, reason=state.by, text=str(state), time_ns=state.since_ns or None)
        self._count(state)
        self._tell(state)

    def wrong(self, message: str) -> None:
        """Something is in the way."""
        self._try(report, message)

    def _say_stopped(self, state: EmergencyState, line: str) -> None:
        self._try(_logger.critical, "otel-trading: %s", line)
        if self._bot is not None:
            trading = self._bot.trading
            self._try(trading.halted, _TRIGGER, reason=state.by, text=str(state), time_ns=state.since_ns or None)

    def _how(self) -> str:
        service = f" --service {shlex.quote(self.service)}" if self.service else ""
        return f"To trade again: otel-trading emergency resume{service}"

    def _tell(self, state: EmergencyState) -> None:
        for listener in self._listeners:
            self._try(listener, state)

    def _count(self, state: EmergencyState) -> None:
        if self._bot is not None:
            self._try(self._transition, self._bot.meter, state)

    @staticmethod
    def _transition(meter: Meter, state: EmergencyState) -> None:
        from otel_trading.trading.conventions import create

        create(meter, "trading.emergency_stop.transitions").add(
            1,
            {
                "trading.emergency_stop.state": "engaged" if state.engaged else "released",
                "trading.emergency_stop.trigger": state.by or "unknown",
            },
        )

    def _follow(self, runs: Any, over: Callable[[], bool]) -> None:  # noqa: ANN401 - as callbacks make them
        """In a thread of its own: what takes time."""
        if self._bot is not None:
            self._try(self._bot.flight_snapshot)
        if runs:
            self._try(self._callbacks.watch, runs, over, self._warn, self._report)

    def _report(self, outcomes: tuple[CallbackOutcome, ...]) -> None:
        bad = [each for each in outcomes if each.outcome != "done"]
        say = _logger.error if bad else _logger.warning
        say("otel-trading: emergency stop, callbacks: %s", "; ".join(map(str, outcomes)))
        if self._bot is not None:
            from otel_trading.trading.conventions import create

            counter = create(self._bot.meter, "trading.emergency_stop.callbacks")
            for each in outcomes:
                counter.add(1, {"trading.callback.outcome": each.outcome})

    def _warn(self, message: str) -> None:
        self._try(_logger.warning, "otel-trading: emergency stop, %s", message)

    def _try(self, call: Callable[..., object], *args: object, **kwargs: object) -> None:
        try:
            call(*args, **kwargs)
        except Exception:
            self.failures += 1
            if self.failures == 1:
                name = getattr(call, "__qualname__", type(call).__qualname__)
                _logger.exception("otel-trading: %s raised at an emergency stop", name)
