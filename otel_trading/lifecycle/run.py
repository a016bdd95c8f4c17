"""The block: ``async with telemetry.running(...) as run``, or ``with`` for threads."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from otel_trading._native import end_by
from otel_trading.lifecycle.bodies import TaskBody, ThreadBody, resolve
from otel_trading.lifecycle.course import Asked
from otel_trading.lifecycle.ending import Ending, Left, Mail
from otel_trading.lifecycle.leaving import leaves
from otel_trading.lifecycle.model import Step, as_step
from otel_trading.lifecycle.signals import Signals
from otel_trading.settings import report as complain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType, TracebackType

    from otel_trading.exits import Exits
    from otel_trading.lifecycle.ending import Host, Terms
    from otel_trading.lifecycle.model import EndReport

    Call = TypeVar("Call", bound=Callable[[], object])

_TOGETHER = 0.3
"""Seconds in which signals are one: a terminal and a supervisor may both send what was typed once."""
_AT_ONCE = 3
"""The signal that ends the process whatever is under way."""


class Run:
    """A bot that runs until it is asked to stop, and then ends in order; made by ``telemetry.running()``."""

    def __init__(
        self,
        host: Host,
        exits: Exits,
        terms: Terms,
        steps: Sequence[Step | Callable[[], object]],
        signals: Sequence[str],
        *,
        entered: Callable[[Run], None],
        gone: Callable[[Run], None],
        stopping: Iterable[Callable[[str], object]],
        reported: Callable[[EndReport], None],
    ) -> None:
        self._terms = terms
        self._exits = exits
        self._entered, self._gone = entered, gone
        self._reported = reported
        self._steps = [as_step(each) for each in steps]
        self._stopping = stopping
        self._host = host
        self._signals = Signals(signals, self._signalled, exits)
        self._mail = Mail()
        self._owner = 0
        self._asked = 0
        self._asked_at = 0.0
        self._watched = False
        self._left = False
        self._stops = False
        self._woken = threading.Event()
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._ending: Ending | None = None
        self._body: TaskBody | ThreadBody | None = None

    @property
    def should_stop(self) -> bool:
        """Whether the body is to end; one that looks here has ``ending_grace`` seconds to do so by itself."""
        self._watched = True
        return self._stops

    @property
    def stopping(self) -> bool:
        """The same for onlookers: who looks here promises nothing."""
        return self._stops

    async def wait_stop(self) -> None:
        """Wait until the body is to end; it then has ``ending_grace`` seconds."""
        self._watched = True
        loop = asyncio.get_running_loop()
        waiting = (loop, loop.create_future())
        self._waiters.append(waiting)
        try:
            if not self._woken.is_set():
                await waiting[1]
        finally:
            self._waiters.remove(waiting)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait in a thread until the body is to end, or for so many seconds; whether it is."""
        self._watched = True
        return self._woken.wait(timeout)

    def stop(self, reason: str = "stop() was called") -> bool:
        """Have the body end, and then the steps done; from any thread. False when that was asked for before."""
        if self._stops or not self._owner:
            return False
        self._ask(Asked(reason))
        return True

    def hurry(self) -> None:
        """Shorten the end that is under way, as a second signal does."""
        if self._stops:
            self._mail.put(Asked("hurry", again=True))

    @property
    def report(self) -> EndReport | None:
        """How it ended; ``None`` before that."""
        return None if self._ending is None else self._ending.report

    @overload
    def step(self, name: Call, /) -> Call: ...
    @overload
    def step(self, name: str = "", /, **options: Any) -> Callable[[Call], Call]: ...  # noqa: ANN401 - those of Step
    def step(self, name: str | Callable[[], object] = "", /, **options: Any) -> Any:
        """Add a step by decorating its function, with the options of ``Step``; until the end begins."""
        if not isinstance(name, str):
            self._add(as_step(name))
            return name

        def add(call: Call) -> Call:
            self._add(Step(name or as_step(call).name, call, **options))
            return call

        return add

    def add(self, step: Step | Callable[[], object]) -> None:
        """Add a step; until the end begins."""
        self._add(as_step(step))

    def _add(self, step: Step) -> None:
        if self._stops:
            complain(f"the step {step.name} comes too late: the end has begun")
        else:
            self._steps.append(step)

    @property
    def left(self) -> bool:
        """Whether the body has ended."""
        return self._left

    @property
    def watched(self) -> bool:
        """Whether the body looks for itself whether it should end."""
        return self._watched

    def wake(self) -> None:
        """Wake those who wait for the wish to end."""
        self._stops = True
        self._woken.set()
        for loop, waiter in list(self._waiters):
            resolve(loop, waiter)

    def _begin(self, body: TaskBody | ThreadBody) -> Self:
        if self._owner:
            raise RuntimeError("a block is entered once: call telemetry.running() again for another one")
        self._entered(self)
        self._owner = os.getpid()
        self._body = body
        self._ending = Ending(
            *(self._host, self._terms, body, body.loop, self._mail),
            *(lambda: self._steps, self._stopping, self._reported),
        )
        try:
            threading.Thread(target=self._ending.run, name="otel-ending", daemon=True).start()
        except RuntimeError:
            self._gone(self)
            raise
        self._signals.take()
        return self

    def _over(self, error: BaseException | None) -> None:
        """The body has ended."""
        self._left = True
        self._stops = True
        if error is None:
            reason = "end of the block"
        else:
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        self._mail.put(Left(reason))

    def _leave(self) -> BaseException | None:
        """The block is left; what the process goes on with."""
        ending = self._ending
        self._signals.give_back()
        self._gone(self)
        if ending is None:
            return None
        ending.gone.set()
        if ending.signal is None or self._terms.exit == "return":
            return None
        number = ending.signal

        def ends() -> None:
            self._exits.ends_by = number

        return leaves(number, by_signal=self._terms.exit == "signal", at_the_top=ends)

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        """Called by a signal's handler, so that it waits for nothing and takes no lock."""
        body = self._body
        if isinstance(body, ThreadBody) and body.takes(frame):
            return
        now = time.monotonic()
        if self._asked and now - self._asked_at < _TOGETHER:
            return
        self._asked_at = now
        self._asked += 1
        if self._asked >= _AT_ONCE and self._terms.exit != "return" and self._terms.forces:
            end_by(number)
        self._ask(Asked("signal", number, again=self._asked > 1))

    def _ask(self, asked: Asked) -> None:
        self._stops = True
        self._mail.put(asked)

    async def __aenter__(self) -> Self:
        return self._begin(TaskBody(self))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        body = self._body
        if os.getpid() != self._owner or not isinstance(body, TaskBody):
            return False  # a forked child: what is to be ended is its parent's
        self._over(error)
        impatient = await body.released(self.hurry)
        goes_on_with = self._leave()
        interrupted = body.was_cancelled_by_us(error)
        if error is not None and not interrupted:
            return False
        if impatient:
            raise asyncio.CancelledError
        if goes_on_with is not None:
            raise goes_on_with from None
        return interrupted

    def __enter__(self) -> Self:
        return self._begin(ThreadBody(self, self._signals))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        body = self._body
        if os.getpid() != self._owner or not isinstance(body, ThreadBody):
            return False
        self._over(error)
        impatient = body.released(self.hurry)
        goes_on_with = self._leave()
        interrupted = error is not None and error is body.interruption
        if error is not None and not interrupted:
            return False
        if impatient is not None:
            raise impatient
        if goes_on_with is not None:
            raise goes_on_with from None
        return interrupted
