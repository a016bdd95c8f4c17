"""Looking, from time to time, at what may take a while: disks, the Collector, the process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from otel_trading.health.resources import spaces
from otel_trading.settings.complaints import Complaints
from otel_trading.threads import NoThreadsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.health.delivery import Delivery
    from otel_trading.health.resources import Disks, Process
    from otel_trading.health.surroundings import Surroundings

INTERVAL = 5.0
"""Seconds between two surveys."""
_PATIENCE = 10.0


class Survey:
    """What is read in a thread, because it may block; one that hangs is not begun again before it came back."""

    def __init__(self, disks: Disks, process: Process, delivery: Delivery, around: Surroundings) -> None:
        self._disks = disks
        self._process = process
        self._delivery = delivery
        self._around = around
        self._complaints = Complaints("surveys of health")
        self._hanging: dict[str, asyncio.Future[Any]] = {}
        self.paths: tuple[str, ...] = ()
        self.memory: tuple[float, float] = (0.0, 0.0)
        """Bytes of resident memory, and the share of the container's, that are too much; 0 is no limit."""

    async def live(self) -> None:
        """Look again and again until it is cancelled."""
        self._hanging.clear()
        while True:
            await self.look()
            await asyncio.sleep(INTERVAL)

    async def look(self) -> None:
        """Look once."""
        self._guarded("process", lambda: self._process.look(*self.memory))
        status = self._around.status
        await asyncio.gather(
            self._read("disks", lambda: spaces(self.paths), self._disks.use),
            self._read("collector", status, lambda found: self._delivery.look(found, self._around.restarts())),
        )

    async def _read(self, what: str, read: Callable[[], Any] | None, take: Callable[[Any], None]) -> None:
        before = self._hanging.get(what)
        if read is None or (before is not None and not before.done()):
            return
        work = self._hanging[what] = asyncio.ensure_future(asyncio.to_thread(read))
        done, _ = await asyncio.wait({work}, timeout=_PATIENCE)
        if not done:
            self._complaints.say(f"health: {what} did not answer within {_PATIENCE:g} s")
            return
        error = work.exception()
        if isinstance(error, NoThreadsError):
            return
        if error is not None:
            self._complaints.say(f"health: {what} cannot be read: {type(error).__name__}: {error}")
            return
        self._guarded(what, lambda: take(work.result()))

    def _guarded(self, what: str, look: Callable[[], None]) -> None:
        try:
            look()
        except Exception as error:
            self._complaints.say(f"health: {what} cannot be judged: {type(error).__name__}: {error}")
