"""A configuration that is looked at while the bot runs."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from otel_trading import forks
from otel_trading.reloading.outcome import Outcome
from otel_trading.settings import report

if TYPE_CHECKING:
    from otel_trading.reloading.audit import Audit
    from otel_trading.reloading.watch import FileWatch, Sighting

_LONGEST_WAIT = 5.0
"""Seconds that somebody who asks waits for a file to stand still."""

_STEP = 0.02


class Taker(Protocol):
    """What becomes of what a file holds."""

    @property
    def source(self) -> str:
        """What people call it."""
        ...

    def take(self, sighting: Sighting, by: str) -> Outcome:
        """Take all of it, or nothing."""
        ...


class Subject:
    """Looks at one file, and has a taker take it; one change after the other."""

    def __init__(self, taker: Taker, audit: Audit) -> None:
        self.watch: FileWatch | None = None
        self.problems: tuple[str, ...] = ()
        """Why the file is refused at the moment, and what of it holds only from the next start on."""
        self._later: tuple[str, ...] = ()
        self._taker = taker
        self._audit = audit
        self._lock = forks.lock()
        self._thread: int | None = None
        self._asked: str | None = None
        self._ended = False

    def begin(self, watch: FileWatch) -> None:
        """Look at this from now on."""
        with self._lock:
            self.watch = watch
            self.problems = self._later = ()
            self._ended = False

    def end(self, deadline: float) -> None:
        """Take no change any more; one that is being taken is waited for until then (monotonic seconds)."""
        self._ended = True
        if self._thread != threading.get_ident() and self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            self._lock.release()

    @property
    def ended(self) -> bool:
        """Whether no change is taken any more."""
        return self._ended

    def reload_soon(self, by: str) -> None:
        """Have the next look take the file, changed or not; sets a mark and no more, as signal handlers must."""
        self._asked = by

    def restart_in_child(self) -> None:
        """Go on in a forked child: nobody takes a change there."""
        self._thread = None

    @property
    def settling(self) -> bool:
        """Whether the file is being written."""
        return self.watch is not None and self.watch.settling

    def look_if_asked(self) -> None:
        """Take the file if somebody has asked for it."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self.reload(asked)

    def look(self, interval: float) -> float:
        """Take what is new; how many seconds until the next look."""
        self.look_if_asked()
        watch = self.watch
        if watch is None or self._ended:
            return interval
        with self._lock:
            sighting = watch.look()
            if sighting is not None:
                self._take(sighting, "file")
        if watch.restless:
            self.problems = (f"{self._taker.source} changes all the time, and is not taken", *self._later)
        return watch.pause(interval)

    def reload(self, by: str) -> Outcome:
        """Take the file as it is now, and wait for what becomes of it; at most some seconds while it is written."""
        if self._thread == threading.get_ident():
            return self._refused(by, "it is asked for in the middle of a change")
        deadline = time.monotonic() + _LONGEST_WAIT
        while True:
            if not self._lock.acquire(timeout=_LONGEST_WAIT):
                return self._refused(by, "another change is being taken")
            try:
                if self.watch is None or self._ended:
                    return self._refused(by, "it is watched no more")
                sighting = self.watch.look(anyway=True)
                if sighting is not None:
                    return self._take(sighting, by)
            finally:
                self._lock.release()
            if time.monotonic() > deadline:
                return self._refused(by, "it changes all the time")
            time.sleep(_STEP)

    def _refused(self, by: str, why: str) -> Outcome:
        return Outcome(self._taker.source, by, "refused", problems=(why,))

    def _take(self, sighting: Sighting, by: str) -> Outcome:
        self._thread = threading.get_ident()
        try:
            outcome = self._taker.take(sighting, by)
        except Exception as error:  # of the bot's code, or a defect of ours
            report(f"{self._taker.source} cannot be taken: {type(error).__name__}: {error}")
            outcome = self._refused(by, f"{type(error).__name__}: {error}")
        finally:
            self._thread = None
        again = self.problems != self._later and outcome.outcome == "unchanged"
        if outcome.ok:
            self._later = tuple(f"{outcome.source}: {change}, from the next start on" for change in outcome.later)
        self.problems = (*(f"{outcome.source}: {problem}" for problem in outcome.problems), *self._later)
        if outcome.outcome != "unchanged" or by != "file" or again:
            self._audit.tell(outcome)
        return outcome
