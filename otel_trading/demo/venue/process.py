"""The venues in a process of their own, so that neither a bot's event loop nor its interpreter lock is shared."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from otel_trading.demo.venue.faults import Fault, FaultError
from otel_trading.demo.venue.market import STREAMS, Stream, VenueName

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from otel_trading.demo.venue.faults import FaultKind

Json = dict[str, Any]

_READY_TIMEOUT = 30.0
_STOP_TIMEOUT = 3.0
_START_TIMEOUT = 60.0
_POLL_SECONDS = 0.05


class VenueProcessError(RuntimeError):
    """The process of the venues did not come up, or refused a command."""


class VenueProcess:
    """Starts the venues as a child process, steers them, and never leaves the child behind.

    The child ends when this context does, when its standard input closes and when its parent is gone, whichever comes
    first, so it also ends when the parent is killed.

    Args:
        spot: the spot recording; with neither the market is generated from ``seed``.
        perp: the perpetual recording of the same time.
        speed: the multiple of the market's own pace, ``None`` for as fast as clients read.
        seed: of the generated market and of latencies.

    """

    def __init__(
        self,
        *,
        spot: Path | str | None = None,
        perp: Path | str | None = None,
        speed: float | None = 1.0,
        seed: int = 1,
    ) -> None:
        if (spot is None) != (perp is None):
            raise ValueError("give both recordings or neither")
        self._arguments = ["--speed", "max" if speed is None else str(speed), "--seed", str(seed)]
        if spot is not None and perp is not None:
            self._arguments += ["--spot", str(spot), "--perp", str(perp)]
        self.urls: dict[VenueName, str] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def spot_url(self) -> str:
        """Where the spot venue answers, such as ``http://127.0.0.1:40001``."""
        return self.urls["spot"]

    @property
    def perp_url(self) -> str:
        """Where the perpetual venue answers."""
        return self.urls["perp"]

    @property
    def pid(self) -> int:
        """The child's process id."""
        if self._process is None:
            raise VenueProcessError("the venues are not running")
        return self._process.pid

    async def __aenter__(self) -> Self:
        """Start the child and wait until it listens.

        Raises:
            VenueProcessError: it ended or said nothing in time.

        """
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "otel_trading.demo.venue",
            "--parent",
            str(os.getpid()),
            *self._arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # an interrupt typed in the terminal is for the parent to act on first
        )
        try:
            async with asyncio.timeout(_READY_TIMEOUT):
                line = await self._process.stdout.readline() if self._process.stdout is not None else b""
            self.urls = json.loads(line)
        except (TimeoutError, ValueError) as error:
            await self._stop()
            raise VenueProcessError(f"the venues did not start (exit code {self._process.returncode})") from error
        except BaseException:
            await self._stop()
            raise
        self._session = aiohttp.ClientSession(self.urls["spot"])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the child."""
        if self._session is not None:
            await self._session.close()
        await self._stop()

    async def start(self, wait_for: Iterable[Stream] = STREAMS, within: float = _START_TIMEOUT) -> None:
        """Start the replay once somebody is subscribed on both venues.

        Args:
            wait_for: the streams that need a subscriber; with ``depth`` also the snapshot must have been fetched.
            within: seconds to wait at most.

        Raises:
            TimeoutError: not everything was subscribed in time.

        """
        body = {"wait_for": list(wait_for), "within": within}
        await self._call("POST", "/control/start", body, within + _STOP_TIMEOUT)

    async def finished(self) -> None:
        """Return when the source is played to its end.

        Raises:
            VenueProcessError: the replay broke off.

        """
        while (stats := await self.stats())["state"] != "finished":
            if stats["state"] == "failed":
                raise VenueProcessError(f"the replay broke off: {stats['error']}")
            await asyncio.sleep(_POLL_SECONDS)

    async def switch_on(self, fault: Fault | str) -> None:
        """Start a fault such as ``silent:perp:10s``.

        Raises:
            FaultError: the text cannot be read.

        """
        fault = Fault.parse(fault) if isinstance(fault, str) else fault
        await self._call("POST", "/control/fault", {"fault": str(fault)})

    async def switch_off(self, venue: VenueName | None = None, kind: FaultKind | None = None) -> None:
        """End the faults of a venue and kind; ``None`` means all."""
        chosen = {"venue": venue, "kind": kind}
        query = "&".join(f"{key}={value}" for key, value in chosen.items() if value is not None)
        await self._call("DELETE", f"/control/fault?{query}")

    async def stats(self) -> Json:
        """Return the replay's state and what each venue sent and did, as :meth:`Venues.stats` describes."""
        return await self._call("GET", "/control/stats")

    async def _call(self, method: str, path: str, body: Json | None = None, within: float = 30.0) -> Json:
        if self._session is None:
            raise VenueProcessError("the venues are not running")
        timeout = aiohttp.ClientTimeout(total=within)
        async with self._session.request(method, path, json=body, timeout=timeout) as response:
            answer: Json = await response.json()
            if response.status == 408:  # noqa: PLR2004 - the subscriptions did not come in time
                raise TimeoutError(answer["error"])
            if response.status >= 400:  # noqa: PLR2004 - a refusal
                raise FaultError(answer["error"]) if path == "/control/fault" else VenueProcessError(answer["error"])
            return answer

    async def _stop(self) -> None:
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(_STOP_TIMEOUT):
                    await process.wait()
            except TimeoutError:
                process.kill()
        await process.wait()
