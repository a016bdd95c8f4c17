"""The end itself: a thread that waits for it from the block's beginning, and sees it through."""

from __future__ import annotations

import contextlib
import contextvars
import os
import queue
import signal
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry import trace

from otel_trading._native import end_by
from otel_trading.lifecycle import report as reports
from otel_trading.lifecycle.arrange import arranged, while_running
from otel_trading.lifecycle.attempt import Work
from otel_trading.lifecycle.course import Asked, Course
from otel_trading.lifecycle.model import (
    BODY,
    FLUSH,
    STOP_NEW_ORDERS,
    EndReport,
    IncompleteError,
    Phase,
    Step,
    shortened,
)
from otel_trading.lifecycle.pace import Pace
from otel_trading.settings import report as complain
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence

    from opentelemetry.trace import Span, Tracer

    from otel_trading._native import Log
    from otel_trading.lifecycle.attempt import Attempt
    from otel_trading.metrics.instruments import Meter
    from otel_trading.settings import Settings

_LAST = 2.0
"""Seconds that a block has to be left in when all is done; then the process ends without it."""
_SOON = 0.05
_MOST = 0.8
"""The share of what is left that telemetry is told to take, as it may be a little late."""
_STATUS_WHEN_STUCK = 70
"""EX_SOFTWARE of sysexits.h: the exit status where the end was forced and no signal had asked for it."""


class Host(Protocol):
    """What the end needs of telemetry."""

    @property
    def settings(self) -> Settings: ...
    @property
    def tracer(self) -> Tracer: ...
    @property
    def meter(self) -> Meter: ...
    def log(self, name: str = "") -> Log: ...
    def ends_soon(self, reason: str) -> None: ...
    def flush(self, timeout: float | None = None) -> bool: ...
    def shutdown(self, timeout: float | None = None) -> bool: ...


@dataclass(frozen=True, slots=True)
class Terms:
    """How the end goes; times in seconds."""

    timeout: float
    step_timeout: float
    grace: float
    hurry: float
    delivery: float
    close_positions: bool
    exit: str
    report: bool
    flushes: bool
    forces: bool


class Body(Protocol):
    """The block's body."""

    @property
    def left(self) -> bool:
        """Whether it has ended."""
        ...

    @property
    def watched(self) -> bool:
        """Whether it looks for itself whether it should end."""
        ...

    def wake(self) -> None:
        """Wake those that wait for the wish to end."""
        ...

    def interrupt(self) -> None:
        """Have it end; called again when it does not."""
        ...

    def release(self) -> None:
        """All is done: the block may be left."""
        ...


@dataclass(frozen=True, slots=True)
class Left:
    """The body has ended, and why."""

    reason: str


class Mail:
    """News for the thread; ``put`` may be called anywhere, also in a signal's handler."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.put = self._queue.put

    def get(self, seconds: float | None) -> object | None:
        """The next one."""
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None


class _Leaving:
    """The body's own way out, as something that can be waited for."""

    def __init__(self, body: Body, grace: float) -> None:
        self._body = body
        self._grace = grace if body.watched else 0.0
        self.interrupted = 0
        self.late = False

    @property
    def over(self) -> bool:
        return self._body.left

    def look(self, seconds: float, allowed: float) -> float | None:
        """Interrupt it when its grace is over, and once more every second."""
        grace = 0.0 if self.late else self._grace
        if seconds < grace + self.interrupted:
            return grace + self.interrupted
        self.interrupted += 1
        self._body.interrupt()
        return seconds + 1.0

    def cancel(self) -> None:
        self._body.interrupt()

    def verdict(self) -> tuple[bool, str]:
        return True, "interrupted" if self.interrupted else "ended by itself"

    def said(self) -> str:
        return "it goes on while the other steps are done"


class Ending:
    """Sees the end through, from the first wish on.

    Args:
        host: telemetry.
        terms: how.
        body: what has to end first.
        loop: the block's event loop, if it has one.
        mail: where wishes come in.
        steps: asked for the steps when the end begins.
        stopping: called then with the reason, before anything else, one after the other.
        reported: called with the report at the end.

    """

    def __init__(
        self,
        host: Host,
        terms: Terms,
        body: Body,
        loop: asyncio.AbstractEventLoop | None,
        mail: Mail,
        steps: Callable[[], Sequence[Step]],
        stopping: Iterable[Callable[[str], object]],
        reported: Callable[[EndReport], None],
    ) -> None:
        self.report: EndReport | None = None
        self.gone = threading.Event()
        """Set when the block is left."""
        self.signal: int | None = None
        self.reason = ""
        self._host = host
        self._terms = terms
        self._body = body
        self._loop = loop
        self._mail = mail
        self._steps = steps
        self._stopping = stopping
        self._reported = reported
        self._signals = 0
        self._delivers = False
        self._context = contextvars.copy_context()
        self._spans: dict[int, Span] = {}

    def run(self) -> None:
        """Wait for the end and see it through; called in a thread of its own."""
        self._begin(self._mail.get(None))
        began = self._pace.now()
        try:
            self._see_through(began)
        except Exception as error:  # a defect of ours must not keep the bot from ending
            complain(f"the end of the block went wrong: {type(error).__name__}: {error}")
            self.report = self.report or EndReport(
                *(self.reason, self.signal, self._pace.now() - began, self._terms.timeout),
                (Phase("shutdown", "failed", 0.0, shortened(error)),),
            )
        with contextlib.suppress(Exception):
            self._reported(self.report) if self.report is not None else None
        self._body.release()
        self._see_it_left()

    def _begin(self, news: object) -> None:
        terms = self._terms
        if isinstance(news, Asked):
            self.reason, self.signal = news.reason, news.signal
            self._signals = int(news.signal is not None)
        elif isinstance(news, Left):
            self.reason = news.reason
        self._body.wake()
        self._pace = Pace(time.monotonic, total=terms.timeout, delivery=terms.delivery, hurry=terms.hurry)

    def _hear(self, asked: Asked) -> None:
        """Another wish: the first signal is what the process ends by, a second one hurries."""
        if asked.signal is not None:
            self._signals += 1
            if self.signal is None:
                self.signal = asked.signal
        if asked.again:
            self._pace.hurry()

    def _see_through(self, began: float) -> None:
        host, terms = self._host, self._terms
        log = host.log("lifecycle")
        steps, problems = arranged(self._with_stop(self._steps()))
        complain(*problems)
        early = [step for step in steps if while_running(step)]
        rest = [step for step in steps if not while_running(step)]
        course = self._course()
        with self._root() as root:
            log.info("shutdown begins", event="shutdown.begun", reason=self.reason, tags=("shutdown",))
            ends_body = not self._body.left
            later = [step.is_critical for step in rest]
            course.run(early, [True, *later] if ends_body else later)
            if ends_body:
                course.phases.append(self._end_body(course, later))
            course.run(rest)
            report = self.report = self._made(course.phases, began)
            root.set_attributes(_attributes(report))
            if not report.ok:
                root.set_status(trace.StatusCode.ERROR, reports.headline(report))
            say = log.info if report.ok else log.error
            say(reports.headline(report), event="shutdown.ended", report=report.json(), tags=("shutdown",))
        if terms.flushes:
            self._delivers = True
            self._pace.delivery = 0.0  # what was kept for it is its own now
            course.run([Step(FLUSH, self._deliver, timeout=max(_SOON, self._pace.left))])
            self.report = self._made(course.phases, began)
        if terms.report:
            with contextlib.suppress(OSError, ValueError, AttributeError):  # nobody reads it any more
                reports.show(self.report, sys.stderr)

    def _with_stop(self, steps: Sequence[Step]) -> list[Step]:
        reason = self.reason
        with contextlib.suppress(Exception):
            self._host.ends_soon(reason)
        calls = list(self._stopping)
        if not calls:
            return list(steps)

        def stop() -> None:
            errors = []
            for call in calls:
                try:
                    call(reason)
                except Exception as error:
                    errors.append(f"{type(error).__name__}: {error}")
            if errors:
                raise RuntimeError("; ".join(errors))

        return [Step(STOP_NEW_ORDERS, stop), *steps]

    def _course(self) -> Course:
        terms = self._terms
        return Course(
            self._pace,
            self._mail,
            self._start,
            step_timeout=terms.step_timeout,
            close_positions=terms.close_positions,
            heard=self._hear,
            told=self._told,
        )

    def _start(self, step: Step) -> Attempt:
        """Begin a step within a span of its own."""
        context, span = contextvars.Context(), None
        if step.name != FLUSH or not self._delivers:
            context = self._context.copy()
            span = self._context.run(self._host.tracer.start_span, step.name)
            context.run(_attach, span)
        work = Work(step, self._loop, context, lambda: self._mail.put(None))
        if span is not None:
            self._spans[id(work)] = span
        work.begin()
        return work

    def _told(self, step: Step, phase: Phase, attempt: Attempt | None) -> None:
        span = self._spans.pop(id(attempt), None)
        self._say(phase, span, getattr(attempt, "error", None))

    def _say(self, phase: Phase, span: Span | None, error: BaseException | None = None) -> None:
        """A phase is over: log line, metric, and the end of its span."""
        host = self._host
        if span is not None:
            span.set_attributes({"trading.shutdown.phase": phase.name, "trading.shutdown.outcome": phase.outcome})
            if phase.outcome != "done":
                if error is not None:
                    span.record_exception(error)
                span.set_status(trace.StatusCode.ERROR, phase.detail)
            span.end()
        duration: Any = create(host.meter, "trading.shutdown.duration")
        attributes = {"trading.shutdown.phase": phase.name, "trading.shutdown.outcome": phase.outcome}
        duration.record(phase.seconds, attributes)
        log = host.log("lifecycle")
        fields: dict[str, Any] = {
            "event": "shutdown.step",
            "phase": phase.name,
            "shutdown_outcome": phase.outcome,
            "duration_seconds": phase.seconds,
            "text": phase.detail or None,
            "tags": ("shutdown",),
        }
        if phase.outcome in ("done", "skipped"):
            log.info("shutdown step", **fields)
        else:
            log.error("shutdown step", error=error, **fields)

    def _end_body(self, course: Course, later: Sequence[bool]) -> Phase:
        """See that the body ends, by itself or interrupted; the steps do not wait longer for it than it may take."""
        pace, terms = self._pace, self._terms
        span = self._context.run(self._host.tracer.start_span, BODY)
        leaving = _Leaving(self._body, terms.grace)
        began = pace.now()
        allowed = min(terms.grace + terms.step_timeout, pace.share([False, *later]))
        if not pace.over:
            leaving.late = allowed < terms.grace
            course.wait(leaving, began, began + allowed, [False, *later])
        detail = leaving.verdict()[1]
        outcome: Any = "done"
        if not leaving.over:
            leaving.cancel()
            outcome, detail = "abandoned", f"not over after {pace.now() - began:.3g} s; {leaving.said()}"
        phase = Phase(BODY, outcome, pace.now() - began, detail)
        self._say(phase, span)
        return phase

    def _deliver(self) -> None:
        """Telemetry's own end, or its delivery alone where the process goes on."""
        ends = self.signal is not None and self._terms.exit != "return"
        seconds = max(_SOON, min(_MOST * self._pace.left, self._terms.delivery))
        if not (self._host.shutdown(seconds) if ends else self._host.flush(seconds)):
            waits = "; it waits on the disk" if self._host.settings.spool_enabled else ""
            raise IncompleteError(f"not everything could be delivered in {seconds:.3g} s{waits}")

    def _made(self, phases: Sequence[Phase], began: float) -> EndReport:
        seconds = self._pace.now() - began
        return EndReport(self.reason, self.signal, seconds, self._terms.timeout, tuple(phases), self._signals)

    def _root(self) -> contextlib.AbstractContextManager[Span]:
        """The root of the end's trace, which is kept whatever else is."""
        span = self._context.run(self._host.tracer.start_span, "shutdown")
        keep = getattr(span, "keep", None)
        if keep is not None:
            keep()
        self._context.run(_attach, span)
        return trace.use_span(span, end_on_exit=True, record_exception=False)

    def _see_it_left(self) -> None:
        """The process ends although its block, or what comes after it, does not."""
        leaves = self.signal is not None and self._terms.exit != "return"
        if self.gone.wait(_LAST):
            if not leaves or self.signal == signal.SIGINT:  # who catches KeyboardInterrupt may go on
                return
            time.sleep(max(_LAST, self._pace.left))  # a daemon's sleep: the process ends before it is over
        if not self._terms.forces:
            return
        where = "the process does not end" if self.gone.is_set() else "the block cannot be left"
        with contextlib.suppress(Exception):
            complain(f"{where}: it is ended without it")
            sys.stderr.flush()
        if self.signal is not None:
            end_by(self.signal)
        os._exit(_STATUS_WHEN_STUCK)


def _attach(span: Span) -> None:
    from opentelemetry.context import attach

    attach(trace.set_span_in_context(span))


def _attributes(report: EndReport) -> dict[str, str | float]:
    return {
        "trading.event.reason": report.signal_name or report.reason,
        "trading.shutdown.outcome": "done" if report.ok else "failed",
    }
