"""``telemetry.lifecycle``: blocks that end in order, and what belongs to their end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from otel_trading import forks
from otel_trading.lifecycle.listeners import Listeners

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_trading.exits import Exits
    from otel_trading.lifecycle.ending import Host as _Host
    from otel_trading.lifecycle.model import EndReport, Step
    from otel_trading.lifecycle.run import Run
    from otel_trading.lifecycle.state import StateFile
    from otel_trading.trading.facade import Trading

    class Host(_Host, Protocol):
        """What the whole room needs of telemetry."""

        exits: Exits

        @property
        def trading(self) -> Trading: ...


class Lifecycle:
    """One block at a time is in charge of the process's end."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lock = forks.lock()
        self._stopping: Listeners[str] = Listeners()
        self._reported: Listeners[EndReport] = Listeners()
        self._current: Run | None = None
        self._state: StateFile[Any] | None = None

    @property
    def current(self) -> Run | None:
        """The block that is in charge."""
        return self._current

    @property
    def stopping(self) -> bool:
        """Whether the end has begun: no new order is to go out. Made for the hot path."""
        current = self._current
        return current is not None and current.stopping

    def stop(self, reason: str = "stop() was called") -> bool:
        """End the block that is in charge, from any thread; False when there is none, or it ends already."""
        current = self._current
        return current is not None and current.stop(reason)

    def on_stopping(self, callback: Callable[[str], object]) -> Callable[[], None]:
        """Have a function called with the reason as soon as an end begins, before any step; what undoes it."""
        return self._stopping.add(callback)

    def on_report(self, callback: Callable[[EndReport], object]) -> Callable[[], None]:
        """Have a function called with the report of each end; what undoes it."""
        return self._reported.add(callback)

    @property
    def state(self) -> StateFile[Any]:
        """The bot's state on the disk, at ``state_file``."""
        with self._lock:
            if self._state is None or self._state.path != self._state_path():
                from otel_trading.lifecycle.state import StateFile

                self._state = StateFile(self._state_path(), keep=self._host.settings.state_keep)
            return self._state

    def _state_path(self) -> Any:  # noqa: ANN401 - a path
        from otel_trading.lifecycle.state import path_of

        return path_of(self._host.settings)

    def cancel_open_orders(self, *exchanges: Any, **options: Any) -> Step:  # noqa: ANN401 - ccxt carries no types
        """The step ``cancel_orders`` for clients of ccxt; see ``CancelOpenOrders``."""
        from otel_trading.lifecycle.orders import cancel_open_orders

        return cancel_open_orders(self._host.trading, *exchanges, **options)

    def reconcile(self, *sources: Any, **options: Any) -> Step:  # noqa: ANN401 - ccxt carries no types
        """The step ``reconcile``: what the bot believes to hold against what its venues say; see ``Reconcile``."""
        from otel_trading.lifecycle.reconcile import reconcile

        return reconcile(self._host.trading, *sources, **options)

    def running(
        self,
        *steps: Step | Callable[[], object],
        state: Callable[[], object] | None = None,
        signals: Sequence[str] | None = None,
        timeout: float | None = None,
        step_timeout: float | None = None,
        grace: float | None = None,
        close_positions: bool | None = None,
        exit: str | None = None,  # noqa: A002 - as the option
        report: bool | None = None,
        flush: bool = True,
        force: bool | None = None,
    ) -> Run:
        """See ``Telemetry.running``."""
        from otel_trading.lifecycle.ending import Terms
        from otel_trading.lifecycle.model import SAVE_STATE, Step
        from otel_trading.lifecycle.run import Run
        from otel_trading.settings.parse import stopping_signals

        settings = self._host.settings
        tested = "pytest" in sys.modules

        def given(value: Any, setting: Any) -> Any:  # noqa: ANN401 - an option's
            return setting if value is None else value

        if exit not in (None, "signal", "zero", "return"):
            raise ValueError(f"exit={exit!r}; allowed: signal, zero, return")
        terms = Terms(
            timeout=given(timeout, settings.ending_timeout),
            step_timeout=given(step_timeout, settings.ending_step_timeout),
            grace=given(grace, settings.ending_grace),
            hurry=settings.ending_hurry,
            delivery=settings.shutdown_timeout if flush else 0.0,
            close_positions=given(close_positions, settings.ending_close_positions),
            exit=given(exit, settings.ending_exit),
            report=given(report, settings.ending_report and not tested),
            flushes=flush,
            forces=given(force, not tested),
        )
        if state is not None:
            make, file = state, self.state
            steps = (*steps, Step(SAVE_STATE, lambda: file.keep_or_raise(make())))
        return Run(
            *(self._host, self._host.exits, terms, steps),
            stopping_signals(tuple(signals)) if signals is not None else settings.ending_signals,
            entered=self._enter,
            gone=self._leave,
            stopping=self._stopping,
            reported=self._reported,
        )

    def restart_in_child(self) -> None:
        """In a forked child no block is in charge: it is its parent's."""
        self._current = None

    def _enter(self, run: Run) -> None:
        with self._lock:
            if self._current is not None:
                raise RuntimeError(
                    "a block of telemetry.running() is active already: one is in charge of the process's end; "
                    "give its steps to that one, with run.add() or @run.step()"
                )
            self._current = run

    def _leave(self, run: Run) -> None:
        with self._lock:
            if self._current is run:
                self._current = None
