"""The one clock that plays a market source into both venues."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from otel_trading.demo.venue.market import Frame, MarketSource, VenueName
    from otel_trading.demo.venue.server import Venue

State = Literal["waiting", "running", "finished", "failed"]

_FRAMES_BETWEEN_TURNS = 32
_SHORTEST_SLEEP = 0.0005


class Replay:
    """Plays frames in time order, each to its venue, at ``speed`` times the source's own pace.

    A consumer that reads too slowly holds the replay back, so that memory stays bounded and no frame is skipped.

    Args:
        source: where the frames come from.
        venues: who sends them on.
        speed: the multiple of the source's pace, ``None`` for as fast as they are taken.

    """

    def __init__(self, source: MarketSource, venues: Mapping[VenueName, Venue[Any]], speed: float | None) -> None:
        if speed is not None and speed <= 0:
            raise ValueError(f"the speed must be positive, not {speed}")
        self.state: State = "waiting"
        self.position_ns = 0
        self.frames = 0
        self.error: str | None = None
        self._source = source
        self._venues = venues
        self._speed = speed
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; a second call changes nothing."""
        if self._task is None:
            self.state = "running"
            self._task = asyncio.get_running_loop().create_task(self._run(), name="replay")

    async def finished(self) -> None:
        """Return at the end of the source; what stopped the replay is raised."""
        if self._task is None:
            raise RuntimeError("the replay was not started")
        await asyncio.shield(self._task)

    async def close(self) -> None:
        """Stop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        try:
            await self._play()
        except Exception as error:
            self.state, self.error = "failed", f"{type(error).__name__}: {error}"
            raise
        self.state = "finished"

    async def _play(self) -> None:
        venues = self._venues
        keep_pace = self._pace()
        for frame in self._source.frames(self._event_clock()):
            await keep_pace(frame)
            await venues[frame.venue].market_data(frame)
            self.frames += 1

    def _event_clock(self) -> Callable[[int], int]:
        started_ns, speed = time.time_ns(), self._speed or 1.0
        return lambda position_ns: (started_ns + round(position_ns / speed)) // 1_000_000

    def _pace(self) -> Callable[[Frame], Awaitable[None]]:
        loop = asyncio.get_running_loop()
        started, first_ns, speed = loop.time(), None, self._speed

        async def keep_pace(frame: Frame) -> None:
            nonlocal first_ns
            if first_ns is None:
                first_ns = frame.time_ns
            self.position_ns = frame.time_ns - first_ns
            if speed is not None:
                ahead = started + self.position_ns / 1e9 / speed - loop.time()
                if ahead > _SHORTEST_SLEEP:
                    await asyncio.sleep(ahead)
                    return
            if self.frames % _FRAMES_BETWEEN_TURNS == 0:
                await asyncio.sleep(0)

        return keep_pace
