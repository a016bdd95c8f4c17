"""Delivering what a killed process recorded and did not deliver."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, set_value

from otel_trading import _native
from otel_trading.flight.folder import recordings
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from otel_trading.export.courier import Courier
    from otel_trading.export.destination import Signal
    from otel_trading.flight.folder import Listed

    Deliver = Mapping[Signal, Callable[[bytes, int], str | None]]
    """By signal, what hands over a request of so many items: why it is not safe, ``None`` when it is."""

ITEMS: Final = {"traces": "spans", "logs": "log records", "metrics": "points"}

_SERVICE_BYTES = 144
_LOOK = 0.1

_claimed: set[_native.Claim] = set()
"""What this process is about to recover: a child shares the locks, and would hold them after its parent's death."""


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one recording: ``failed`` says why not all of it was delivered, ``damage`` what is broken.

    ``items`` are spans, log records or points, whichever ``signal`` it is of; ``lost`` went before it was delivered.
    """

    path: Path
    service: str = ""
    pid: int = 0
    died_ns: int = 0
    signal: Signal = "traces"
    items: int = 0
    failed: str | None = None
    damage: tuple[str, ...] = ()
    lost: int = 0

    def __str__(self) -> str:
        """The one line that is logged, or printed."""
        if not self.pid:
            return f"{self.path} cannot be recovered: {self.failed}"
        died = datetime.fromtimestamp(self.died_ns / 1e9).astimezone().isoformat(" ", "milliseconds")
        whose = f"{self.service} (pid {self.pid}, died about {died})"
        what = ITEMS[self.signal]
        line = f"recovered {self.items} {what} of {whose}"
        if self.failed is not None:
            line = f"the {what} of {whose} are not recovered: {self.failed}; they stay in {self.path}"
        if self.lost:
            line += f"; {self.lost} {what} before them had no room and are lost"
        return f"{line}; {self.path} is damaged: {'; '.join(self.damage)}" if self.damage else line


def recover(folder: Path, service: str | None, deliver: Deliver) -> Iterator[Found]:
    """Deliver what the dead processes of a service recorded, of all services when it is ``None``, oldest first.

    A recording is marked as recovered when everything in it has arrived; until then nobody else recovers it.
    """
    wanted = None if service is None else service.encode()[:_SERVICE_BYTES].decode(errors="ignore")
    for listed in recordings(folder):
        if listed.in_use or listed.state not in (None, "unfinished"):
            continue
        if listed.state is not None and wanted not in (None, listed.service):
            continue
        found = _recovered(listed, deliver)
        if found is not None:
            yield found


def _recovered(listed: Listed, deliver: Deliver) -> Found | None:
    """What became of a recording; ``None`` when somebody else has it, or had it."""
    claim = None
    try:
        claim = _native.Claim.take(listed.path)
        if claim is None:
            return None
        _claimed.add(claim)
        return _delivered(listed.path, claim, deliver)
    except (OSError, ValueError) as error:
        return Found(listed.path, failed=getattr(error, "strerror", None) or str(error))
    finally:
        if claim is not None:
            claim.let_go()
            _claimed.discard(claim)


def _delivered(path: Path, claim: _native.Claim, deliver: Deliver) -> Found | None:
    recording = _native.Recording(path)
    if recording.clean:
        return None
    signal: Signal = recording.signal or "traces"
    hand_over = deliver.get(signal)
    if hand_over is None:  # nobody takes these here
        return None
    known = (path, recording.service, recording.pid, recording.last_ns or recording.started_ns, signal)
    damage, items = tuple(recording.damage), 0
    for request, count in recording.requests():
        if failed := hand_over(request, count):
            return Found(*known, items, failed, damage, recording.lost)
        items += count
    claim.recovered()
    return Found(*known, items, None, damage, recording.lost)


class Recovery:
    """Recovers in a thread of its own, once, and keeps the folder within its limits; one of a pipeline's outlets.

    What is recorded goes to the couriers, and is theirs as soon as it is on the disk.
    """

    def __init__(
        self, folder: Path, service: str, couriers: Mapping[Signal, Courier], *, budget: int, max_age: float
    ) -> None:
        self._folder = folder
        self._service = service
        self._couriers = couriers
        self._budget = budget
        self._max_age = max_age
        self._stop = threading.Event()
        self._deadline = float("inf")
        self._thread: threading.Thread | None = threading.Thread(target=self._run, name="otel-recovery", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no threads while the interpreter shuts down
            self._thread = None

    def request_flush(self) -> int:
        """Nothing of this process waits here."""
        return 0

    def wait_flushed(self, ticket: int, deadline: float) -> bool:
        """See ``request_flush``."""
        return True

    def request_close(self, deadline: float) -> None:
        """Go on until the deadline; what is left stays in its file."""
        self._deadline = deadline
        self._stop.set()

    def wait_closed(self) -> bool:
        """Wait for the end; what is not delivered is not lost."""
        if self._thread is not None:
            self._thread.join(max(0.0, self._deadline - time.monotonic()))
        return True

    def restart_in_child(self) -> None:
        """Leave it to the parent."""
        self._thread = None
        for claim in tuple(_claimed):
            claim.let_go()
        _claimed.clear()

    def _run(self) -> None:
        attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            deliver: Deliver = {signal: partial(self._deliver, courier) for signal, courier in self._couriers.items()}
            for found in recover(self._folder, self._service, deliver):
                if found.items or found.lost or found.failed or found.damage:
                    report(str(found))
            swept = _native.sweep_flights(self._folder, self._budget, self._max_age)
            for path, lost in swept:
                if lost:
                    report(f"{path} was removed before it was recovered: recordings may take {self._budget} bytes")
        except Exception as error:  # the bot does not depend on what another one left
            report(f"nothing more is recovered from {self._folder}: {type(error).__name__}: {error}")

    def _deliver(self, courier: Courier, request: bytes, items: int) -> str | None:
        """Hand it over; where it cannot be kept on a disk it stays in its file until it is delivered."""
        safe = threading.Event()
        courier.recover(request, items, safe.set)
        while not safe.wait(_LOOK):
            if self._stop.is_set():
                return "shut down"
        return None
