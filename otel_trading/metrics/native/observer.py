"""Runs callbacks so that none can hold up a collection: in threads that are left alone when they hang."""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from queue import SimpleQueue
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from otel_trading.metrics.native.callbacks import Callback, Value
    from otel_trading.metrics.native.instruments import Observable

    Task = tuple[Observable, Callback]
    Values = tuple[Observable, list[Value]]


_PARTING = 0.2
"""Seconds in which idle threads end; one that is held up by a callback is not waited for any longer."""


class _Batch:
    """Callbacks that one worker asks one after the other, and how far it is."""

    def __init__(self, todo: Sequence[Task], patience: float, wait: float) -> None:
        self.todo = todo
        self.values: list[Values] = []
        self.began = time.monotonic()
        """When the callback that runs began."""
        self.done = threading.Event()
        self.abandoned = False
        self._patience, self._wait = patience, wait
        self._context = contextvars.copy_context()
        self._step = threading.Lock()

    def run(self) -> None:
        self._context.run(self._run)

    def _run(self) -> None:
        for instrument, callback in self.todo:
            self.began = time.monotonic()
            values = callback.run(self._patience, wait=self._wait)
            with self._step:
                if self.abandoned:
                    return
                self.values.append((instrument, values))
        self.done.set()

    def abandon(self) -> Callback | None:
        """Take what is there and let the worker go; the callback that holds it up, if there is one."""
        with self._step:
            self.abandoned = True
            finished = len(self.values)
        return self.todo[finished][1] if finished < len(self.todo) else None


class _Worker(threading.Thread):
    """Asks one batch after the other; one that was abandoned ends with the callback that held it up."""

    def __init__(self, idle: deque[_Worker]) -> None:
        super().__init__(name="otel-observer", daemon=True)
        self.inbox: SimpleQueue[_Batch | None] = SimpleQueue()
        self._idle = idle

    def run(self) -> None:
        while (batch := self.inbox.get()) is not None:
            batch.run()
            if batch.abandoned:
                return
            self._idle.append(self)


class Observer:
    """Asks callbacks, each for at most ``patience`` seconds.

    A callback that takes longer is left to its thread: the collection goes on without it. From then on collections do
    not wait for it; it runs beside them and what it reports arrives one collection later, until it is fast again.
    Nothing is locked for others while callbacks run.
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.missed = 0
        """How often a collection went on without a callback's values."""
        self.restart_in_child()

    def restart_in_child(self) -> None:
        """Start anew: the threads are the parent's."""
        self._idle: deque[_Worker] = deque()
        self._workers: list[_Worker] = []

    def rest(self) -> None:
        """Let the threads that wait for work end; the next collection starts others."""
        workers, self._workers, self._idle = self._workers, [], deque()
        for worker in workers:
            worker.inbox.put(None)
        deadline = time.monotonic() + _PARTING
        for worker in workers:
            if worker.ident is not None:  # one that is being started ends by itself
                worker.join(max(0.0, deadline - time.monotonic()))

    def __del__(self) -> None:
        """Leave no thread that waits for work nobody can give it."""
        for worker in self._workers:
            worker.inbox.put(None)

    def observe(self, instruments: Sequence[Observable], reader: Hashable, timeout: float) -> list[Values]:
        """The values of all callbacks, waiting at most ``timeout`` seconds in total."""
        deadline = time.monotonic() + timeout
        values: list[Values] = []
        prompt: list[Task] = []
        for task in [(instrument, callback) for instrument in instruments for callback in instrument.callbacks]:
            if task[1].late:
                values += self._beside(task, reader)
            else:
                prompt.append(task)
        while prompt:
            batch = self._start(_Batch(prompt, self.patience, wait=self.patience))
            held_up = self._wait(batch, deadline)
            values += batch.values
            if held_up is None:
                break
            self.missed += 1
            prompt = prompt[len(batch.values) + 1 :]
            if time.monotonic() >= deadline:
                self.missed += len(prompt)
                break
        return values

    def _beside(self, task: Task, reader: Hashable) -> list[Values]:
        """Let a callback run beside the collection, and take what its last run had to say."""
        instrument, callback = task
        latest = callback.latest(reader)
        self._start(_Batch([task], self.patience, wait=0))
        if latest is None:
            self.missed += 1
            return []
        return [(instrument, latest)]

    def _start(self, batch: _Batch) -> _Batch:
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker(self._idle)
            self._workers = [*(other for other in self._workers if other.is_alive()), worker]
            try:
                worker.start()
            except RuntimeError:  # no threads while the interpreter shuts down
                batch.run()
                return batch
        worker.inbox.put(batch)
        return batch

    def _wait(self, batch: _Batch, deadline: float) -> Callback | None:
        """Wait until the batch is done; the callback that is not, when it may not be waited for any longer."""
        while not batch.done.is_set():
            patience_ends = batch.began + self.patience
            left = min(patience_ends, deadline) - time.monotonic()
            if left > 0:
                batch.done.wait(left)
                continue
            held_up = batch.abandon()
            if held_up is not None and time.monotonic() >= patience_ends:
                held_up.overdue(self.patience)
            return held_up
        return None
