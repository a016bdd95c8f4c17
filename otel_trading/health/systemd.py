"""Telling systemd how the bot is, as sd_notify(3) describes."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.health.model import HealthReport

_PINGS = 4
"""Pings in the time that the watchdog waits for one."""
_LONGEST_STATUS = 400


class Systemd:
    r"""Sends datagrams to the socket that systemd names; does nothing where there is none, and never raises or waits.

    ``period`` is how many seconds the watchdog waits for a ping; ``None`` where there is none for this process.

    >>> Systemd({}).notify("READY=1")
    False
    >>> Systemd({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000"}).period
    30.0
    """

    def __init__(
        self, variables: Mapping[str, str] = os.environ, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        self._monotonic_ns = monotonic_ns
        self._address = _address(variables.get("NOTIFY_SOCKET", ""))
        self.period = _period(variables) if self._address else None
        self.status = ""
        """What it was told last."""

    @property
    def on(self) -> bool:
        """Whether there is a systemd to tell."""
        return bool(self._address)

    def notify(self, *assignments: str) -> bool:
        """Send assignments, such as ``READY=1``; whether they went out."""
        if not self._address or not hasattr(socket, "AF_UNIX"):
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(assignments).encode(), self._address)
        except OSError:
            return False
        return True

    def tell(self, status: str) -> bool:
        """Have it shown by ``systemctl status``, unless it is already."""
        said = " ".join(status.split())[:_LONGEST_STATUS]
        if said == self.status or not self.notify(f"STATUS={said}"):
            return False
        self.status = said
        return True

    def reloading(self) -> bool:
        """The configuration is read anew; ``READY=1`` says that it is done."""
        return self.notify("RELOADING=1", f"MONOTONIC_USEC={self._monotonic_ns() // 1_000}")


class Service:
    """The bot as systemd sees it: starting, ready, ending, and alive as long as it pings.

    Args:
        systemd: whom it tells.
        alive: whether the bot does what it has to; no ping goes out while it does not.

    """

    def __init__(self, systemd: Systemd, alive: Callable[[], bool]) -> None:
        self._systemd = systemd
        self._alive = alive
        self._ready = False
        self._ending = False
        self.wanted = True
        """Whether systemd is told at all."""
        self.checks_loops = True
        """Whether a bot that is not alive gets no pings."""

    def begin(self) -> None:
        """Telemetry begins, perhaps anew."""
        self._ending = False

    async def live(self) -> None:
        """Ping the watchdog, if there is one, until it is cancelled."""
        period = self._systemd.period
        while period is not None:
            if self.wanted and (self._alive() or not self.checks_loops):
                self._systemd.notify("WATCHDOG=1")
            await asyncio.sleep(period / _PINGS)

    def tell(self, report: HealthReport, *, up: bool) -> None:
        """Say how the bot is; ``up`` is whether it has started."""
        if not self.wanted or self._ending or not self._systemd.on:
            return
        if up and not self._ready:
            self._ready = self._systemd.notify("READY=1")
        why = "; ".join(report.reasons or report.not_ready)
        self._systemd.tell(f"{report.state}{'' if report.ready else ', not ready'}{f': {why}' if why else ''}")

    def reloading(self) -> bool:
        """The configuration is read anew; whether systemd wants to hear when that is done."""
        return self.wanted and self._ready and self._systemd.reloading()

    def reloaded(self) -> None:
        """It is done."""
        self._systemd.notify("READY=1")

    def end(self, reason: str) -> None:
        """The bot ends; a second time nothing is said."""
        if self.wanted and not self._ending:
            self._systemd.notify("STOPPING=1", f"STATUS=it ends: {reason}")
        self._ending = True

    def restart_in_child(self) -> None:
        """A forked child is not the service."""
        self._systemd = Systemd({})


def _address(named: str) -> str | bytes:
    if named.startswith("@"):
        return b"\0" + named[1:].encode()
    return named if named.startswith("/") else ""


def _period(variables: Mapping[str, str]) -> float | None:
    """Seconds; none for a process that is not the one that is watched."""
    try:
        watched = variables.get("WATCHDOG_PID", "").strip()
        if watched and int(watched) != os.getpid():
            return None
        microseconds = int(variables.get("WATCHDOG_USEC", "0"))
    except ValueError:
        return None
    return microseconds / 1e6 if microseconds > 0 else None
