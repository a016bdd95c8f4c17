"""asyncio and thread pools: how long tasks wait for their first step, and work for a thread.

A task is not touched, nor is its coroutine: a measurement is put in the loop's queue just before the task's first step,
and is over when the loop gets there. Loops of asyncio and of uvloop are measured alike.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections import deque
from concurrent.futures import thread as pools
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, ClassVar

from opentelemetry import context as context_api

from otel_trading import _native
from otel_trading.imports import when_imported
from otel_trading.instrument.instrumentor import Instrumentor
from otel_trading.metrics.stopwatch import Stopwatch
from otel_trading.runtime.loop import thread_label
from otel_trading.trading.bound import bound
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting

_SUPPRESSED = context_api._SUPPRESS_INSTRUMENTATION_KEY  # noqa: SLF001 - what everybody sets
_SUPPRESSED_PLAINLY = "suppress_instrumentation"
_LEFT_ALONE, _IN_QUEUE, _BY_CALL = range(3)
"""How something is put in a loop's queue."""

_MOST_EXECUTORS = 100
_MOST_THREADS = 1_000
_HANDED = "_otel_trading_handed"


class AsyncioInstrumentor(Instrumentor):
    """``trading.runtime.tasks``, ``trading.runtime.task.delay`` and ``trading.runtime.executor.wait.duration``.

    Tasks count that a loop's ``create_task`` makes, as do ``asyncio.create_task``, ``TaskGroup`` and ``gather``. An
    eager task has begun when it is made: its delay is 0. Loops that keep a time of their own are left alone.
    """

    packages: ClassVar[tuple[str, ...]] = ("opentelemetry-api >= 1.0",)

    def _patch(self, patches: Patches, said: Reporting, **_: Any) -> None:  # noqa: ANN401
        tasks = Tasks(said)
        patches.wrap(asyncio.BaseEventLoop, "create_task", tasks.counting)
        patches.afterwards(
            when_imported("uvloop", lambda uvloop: patches.wrap(uvloop.Loop, "create_task", tasks.counting))
        )
        item = getattr(pools, "_WorkItem", None)
        if item is not None:
            waits = _Waits(said)
            patches.wrap(item, "__init__", waits.handing)
            patches.wrap(item, "run", waits.beginning)


class _First:
    """What a loop of asyncio finds in its queue before a task's first step: a handle, at a fifth of the cost."""

    __slots__ = ("_run",)

    _cancelled = False
    _run: Callable[[], Any]

    def cancel(self) -> None:
        """Measure nothing."""
        self._run = _nothing


class Tasks:
    """Counts tasks, and times them up to their first step."""

    def __init__(self, said: Reporting) -> None:
        self._count = bound(create(said.meter, "trading.runtime.tasks"), "add", {})
        delay = create(said.meter, "trading.runtime.task.delay")
        self._record = bound(delay, "record", {})
        series = delay.bind({}) if hasattr(delay, "bind") else None
        self._time: Callable[[], Any] = partial(Stopwatch, self._record) if series is None else series.time
        self._safe = type(series).__module__ == _native.__name__  # its measurements cannot raise
        self._kinds: dict[type, int] = {}

    def counting(self, create_task: Callable[..., Any]) -> Callable[..., Any]:
        """In the place of a loop's ``create_task``."""
        time, count, kinds = self._time, self._count, self._kinds
        left_alone, in_queue, make = _LEFT_ALONE, _IN_QUEUE, _First

        @functools.wraps(create_task)
        def counted(loop: Any, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as the loop takes them
            kind = type(loop)
            way = kinds[kind] if kind in kinds else self._way(kind)
            if way == left_alone or _suppressed():
                return create_task(loop, *args, **options)
            first: Any
            if way == in_queue and not loop._debug:  # noqa: SLF001 - see _way
                first = make()
                first._run = time().stop  # noqa: SLF001
                loop._ready.append(first)  # noqa: SLF001
                factory = loop._task_factory  # noqa: SLF001
            else:
                try:
                    first = loop.call_soon(time().stop)
                except Exception:  # such as of a closed loop, which will say so itself
                    return create_task(loop, *args, **options)
                factory = loop.get_task_factory()
            try:
                task = create_task(loop, *args, **options)
            except BaseException:
                first.cancel()
                raise
            count(1)
            if factory is not None or "eager_start" in options:
                self._settle_eager(first, args[0] if args else options.get("coro"))
            return task

        return counted

    def _way(self, kind: type) -> int:
        """How a loop of this class is given something to do just before a task."""
        loops = asyncio.BaseEventLoop
        if not issubclass(kind, loops):
            way = _BY_CALL
        elif kind.time is not loops.time:  # made up: it must not be given anything to do
            way = _LEFT_ALONE
        else:
            known = self._safe and kind.call_soon is loops.call_soon and _queue_is_known()
            way = _IN_QUEUE if known else _BY_CALL
        self._kinds[kind] = way
        return way

    def _settle_eager(self, first: asyncio.Handle, coroutine: object) -> None:
        if getattr(coroutine, "cr_frame", coroutine) is None or getattr(coroutine, "cr_suspended", False):
            first.cancel()
            self._record(0.0)


@functools.cache
def _queue_is_known() -> bool:
    """Whether loops of this asyncio keep what is to be done as they did so far."""
    loop = asyncio.SelectorEventLoop()
    try:
        handle = loop.call_soon(_nothing)
        queue: Any = getattr(loop, "_ready", None)
        known = isinstance(queue, deque) and list(queue) == [handle]
        return known and all(
            hasattr(owner, name)
            for owner, name in ((handle, "_run"), (handle, "_cancelled"), (loop, "_debug"), (loop, "_task_factory"))
        )
    except Exception:
        return False
    finally:
        loop.close()


def _nothing() -> None: ...


class _Waits:
    """Times work from where it is handed to a pool to where a thread begins with it."""

    def __init__(self, said: Reporting) -> None:
        self._waits = create(said.meter, "trading.runtime.executor.wait.duration")
        self._executors: dict[str, Callable[[float], None]] = {}
        self._threads: dict[str, Callable[[float], None]] = {}

    def handing(self, init: Callable[..., None]) -> Callable[..., None]:
        """In the place of what is called with work that is handed in."""

        @functools.wraps(init)
        def handed(item: Any, *args: Any, **options: Any) -> None:  # noqa: ANN401 - as the pool makes it
            init(item, *args, **options)
            if not _suppressed():
                item.__dict__[_HANDED] = perf_counter()

        return handed

    def beginning(self, run: Callable[..., None]) -> Callable[..., None]:
        """In the place of what a thread calls to do it."""

        @functools.wraps(run)
        def begun(item: Any, *args: Any) -> None:  # noqa: ANN401 - as the thread does
            since = item.__dict__.pop(_HANDED, None)
            if since is not None and not item.future.cancelled():
                name = threading.current_thread().name
                (self._threads.get(name) or self._of(name))(perf_counter() - since)
            run(item, *args)

        return begun

    def _of(self, thread: str) -> Callable[[float], None]:
        """The series of the executor that a thread is of; at most 100 have their own."""
        executor = thread_label(thread)
        if executor not in self._executors and len(self._executors) >= _MOST_EXECUTORS:
            executor = "other"
        if executor not in self._executors:
            self._executors[executor] = bound(self._waits, "record", {"executor.name": executor})
        if len(self._threads) >= _MOST_THREADS:  # of pools that come and go
            self._threads = {}
        record = self._threads[thread] = self._executors[executor]
        return record


_variable: Any = getattr(context_api._RUNTIME_CONTEXT, "_current_context", None)  # noqa: SLF001 - the cheapest way to it
_current: Callable[[], Any] = context_api.get_current if _variable is None else _variable.get


def _suppressed() -> bool:
    """Whether the caller wants nothing instrumented."""
    context = _current()
    return bool(context) and bool(context.get(_SUPPRESSED) or context.get(_SUPPRESSED_PLAINLY))
