"""Callbacks of observable instruments: asked at each collection, never trusted."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.metrics import CallbackOptions

from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

Value = tuple[object, "Mapping[str, Any] | None"]
"""What was observed and its attributes; what is no number is dropped and counted by the core."""


class Callback:
    """One callback of one instrument, with what became of it.

    A generator is asked by ``send(options)``, everything else is called with the options. What it raises costs the
    rest of its values in that collection and is reported at the first time.
    """

    def __init__(self, instrument: str, call: object) -> None:
        self.call = call
        self.failures = 0
        self._instrument = instrument
        self._reported_failure = self._reported_late = False
        self.restart_in_child()
        if isinstance(call, Generator):
            next(call)

    def restart_in_child(self) -> None:
        """Forget a run whose thread the child does not have."""
        self.late = False
        """Whether its last run took longer than it may; it then runs beside the collections."""
        self._turn = threading.Lock()
        self._latest: list[Value] | None = None
        self._given_to: set[Hashable] = set()

    def run(self, patience: float, *, wait: float) -> list[Value]:
        """Ask for the values; ``patience`` is what it is told it may take.

        Another run is waited for, at most ``wait`` seconds: it never runs twice at the same time.
        """
        if not self._turn.acquire(timeout=wait):
            return []
        began = time.monotonic()
        values: list[Value] = []
        try:
            observations = self._answer(CallbackOptions(timeout_millis=patience * 1_000))
            values.extend((getattr(seen, "value", None), getattr(seen, "attributes", None)) for seen in observations)
        except BaseException as error:  # SystemExit and cancellation, too, cost the callback only
            self._failed(error)
        finally:
            self.late = time.monotonic() - began > patience
            self._latest, self._given_to = values if self.late else None, set()  # others were taken at once
            self._turn.release()
        return values

    def latest(self, reader: Hashable) -> list[Value] | None:
        """The values of the last run, once for each reader: old values are not reported for ever."""
        if reader in self._given_to:
            return None
        self._given_to.add(reader)
        return self._latest

    def overdue(self, patience: float) -> None:
        """Note that the run takes longer than ``patience`` seconds."""
        self.late = True
        if not self._reported_late:
            self._reported_late = True
            report(
                f"a callback of {self._instrument!r} takes longer than {patience:g} s: "
                "collections no longer wait for it, its values arrive one collection later"
            )

    def _answer(self, options: CallbackOptions) -> Iterable[object]:
        if not isinstance(self.call, Generator):
            return cast("Iterable[object]", self.call(options))  # type: ignore[operator]  # what it raises is caught
        try:
            return cast("Iterable[object]", self.call.send(options))
        except StopIteration:
            return ()

    def _failed(self, error: BaseException) -> None:
        self.failures += 1
        if not self._reported_failure:
            self._reported_failure = True
            report(f"a callback of {self._instrument!r} failed: {type(error).__name__}: {error}")
