"""Threads for work that may block: bounded in number, and nobody waits for one that hangs."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class NoThreadsError(OSError):
    """There are no new threads because the interpreter shuts down: no trouble, and nothing to be said."""

    @classmethod
    def over(cls, error: RuntimeError) -> bool:
        """Whether this is why a thread could not be started; without memory, or at a limit, it is another reason.

        >>> NoThreadsError.over(RuntimeError("can't create new thread at interpreter shutdown"))
        True
        >>> NoThreadsError.over(RuntimeError("can't start new thread"))
        False
        """
        return "shutdown" in str(error)


class DaemonExecutor(ThreadPoolExecutor):
    """An executor whose threads end when there is nothing to do, and do not keep the process from ending.

    The interpreter waits at its end for every thread of an ordinary executor, also for one that hangs.

    >>> executor = DaemonExecutor(2, "otel-example")
    >>> executor.submit(sum, (1, 2)).result(5)
    3

    Args:
        most: threads at once; further work waits until one of them is free.
        name: what they are called, with a number.

    """

    def __init__(self, most: int, name: str) -> None:
        super().__init__(max_workers=most, thread_name_prefix=name)
        self._most = most
        self._name = name
        self._closed = False
        self._begin()

    def _begin(self) -> None:
        self._guard = threading.Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._busy: set[int] = set()

    @property
    def busy(self) -> int:
        """Threads that are at work, those that hang among them."""
        return len(self._busy)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401 - any work
        """See ``concurrent.futures.Executor``."""
        future: Future[Any] = Future()
        with self._guard:
            if self._closed:
                message = "no work is taken after shutdown"
                raise RuntimeError(message)
            self._waiting.append((future, lambda: function(*args, **kwargs)))
            if len(self._busy) < self._most:
                self._start()
        return future

    def _start(self) -> None:
        number = next(number for number in range(1, self._most + 1) if number not in self._busy)
        self._busy.add(number)
        try:
            threading.Thread(target=self._work, args=(number,), name=f"{self._name}-{number}", daemon=True).start()
        except RuntimeError as error:
            self._busy.discard(number)
            if self._busy:
                return  # one of them does it when it is free
            self._waiting.pop()
            if NoThreadsError.over(error):
                raise NoThreadsError("the interpreter ends") from error
            raise

    def _work(self, number: int) -> None:
        guard, waiting, busy = self._guard, self._waiting, self._busy
        while True:
            with guard:
                if not waiting:
                    busy.discard(number)
                    return
                future, work = waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = work()
            except BaseException as error:  # the future's owner hears of it
                future.set_exception(error)
            else:
                future.set_result(result)
            del future, work

    def shutdown(self, wait: bool = False, *, cancel_futures: bool = False) -> None:
        """Take no more work and forget what waits; what runs is left alone."""
        with self._guard:
            self._closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
        for future, _ in waiting:
            future.cancel()

    def restart_in_child(self) -> None:
        """Begin with no thread in a forked child."""
        self._begin()
