"""The ops server: what telemetry knows, over HTTP, also while the bot's loop is stuck."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING

from otel_trading.forks import whole_imports
from otel_trading.ops import notes
from otel_trading.ops.access import Keys, made_up
from otel_trading.ops.terms import Terms, is_loopback
from otel_trading.settings import report

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence
    from pathlib import Path

    from otel_trading.ops.certificates import Certificates
    from otel_trading.ops.door import Door
    from otel_trading.ops.pages import Provider
    from otel_trading.ops.source import Source
    from otel_trading.ops.visitors import Visitors

__all__ = ["OpsServer", "Sockets", "Terms", "is_loopback"]

_LOOKS_EVERY = 1.0
_LOOKS_AT_FILES_EVERY = 2


class Sockets:
    """The ports of a server, those of the one before it where they are the same; ``OSError`` when one cannot be had."""

    def __init__(self, terms: Terms, before: Sockets | None = None) -> None:
        self.asked = (terms.host, terms.port)
        self.asked_for_metrics = (terms.host, terms.metrics_port)
        taken_over = before is not None and before.asked == self.asked
        self.main: socket.socket = before.main.dup() if before and taken_over else _listen(*self.asked)
        self.metrics: socket.socket | None = None
        if terms.metrics_port is None:
            return
        if before is not None and before.metrics is not None and before.asked_for_metrics == self.asked_for_metrics:
            self.metrics = before.metrics.dup()
            return
        try:
            self.metrics = _listen(terms.host, terms.metrics_port)
        except OSError as error:
            report(
                f"metrics_port={terms.metrics_port} on {terms.host} cannot be used ({reason_of(error)}): /metrics is "
                "on the port of the ops server only"
            )

    def copy(self) -> list[socket.socket]:
        """Of their own, for a loop that takes them back by itself."""
        return [each.dup() for each in (self.main, self.metrics) if each is not None]

    def close(self) -> None:
        """Give the ports back; in a forked child only its copies."""
        for each in (self.main, self.metrics):
            if each is not None:
                each.close()


class OpsServer:
    """Serves pages on the ops thread.

    Args:
        source: who knows.
        terms: where it is found, and by whom.
        before: the server whose ports it takes over where they are the same; ``OSError`` when one cannot be had.
        providers: who adds pages.
        certificates: for HTTPS.

    """

    name = "the ops server"

    def __init__(
        self,
        source: Source,
        terms: Terms,
        *,
        before: OpsServer | None = None,
        providers: Sequence[Provider] = (),
        certificates: Certificates | None = None,
    ) -> None:
        self.terms = terms
        self.sockets: Sockets = Sockets(terms, None if before is None else before.sockets)
        self.port: int = self.sockets.main.getsockname()[1]
        self.providers = list(providers)
        self._source = source
        self._certificates = certificates
        self._visitors: Visitors | None = None
        self._doors: list[Door] = []
        self._note: Path | None = None
        self._keys = Keys(terms.token)
        self._pid = os.getpid()

    @property
    def host(self) -> str:
        """The address it listens at."""
        return self.terms.host

    @property
    def url(self) -> str:
        """Where it is found."""
        return self.terms.url(self.port)

    @property
    def metrics_url(self) -> str | None:
        """Where ``/metrics`` has a port of its own."""
        found = self.sockets.metrics
        return None if found is None else f"{self.terms.url(found.getsockname()[1])}/metrics"

    async def live(self) -> None:
        """Serve until it is cancelled."""
        with whole_imports():  # by this thread: nobody who starts a bot waits for a web server
            from otel_trading.ops.door import Door
            from otel_trading.ops.gate import Gate
            from otel_trading.ops.limits import Limits
            from otel_trading.ops.pages import Pages
            from otel_trading.ops.visitors import Visitors

        self._leave_note()
        gate = Gate(self.terms, self._keys, Limits(self.terms.rate_limit), self.port)
        pages = Pages(self._source, self.terms, self._keys, gate, self._present, self.providers)
        async with pages.open() as protocol:
            visitors = self._visitors = Visitors(protocol)
            self._doors = [
                Door(each, visitors, self._context, metrics_only=number > 0)
                for number, each in enumerate(self.sockets.copy())
            ]
            try:
                for door in self._doors:
                    door.open()
                await self._look_after(visitors)
            finally:
                for door in self._doors:
                    door.close()
                await visitors.leave()

    def close(self) -> None:
        """Take the note back and give the ports back."""
        if self._note is not None:
            notes.take_back(self._note, self._pid)
        self.sockets.close()

    def close_in_child(self) -> None:
        """Close a forked child's copies of ports and connections: the parent goes on serving."""
        self.sockets.close()
        for door in self._doors:
            door.drop()
        if self._visitors is not None:
            self._visitors.drop_all()

    def _context(self) -> ssl.SSLContext | None:
        return None if self._certificates is None else self._certificates.context

    def _present(self) -> Visitors:
        assert self._visitors is not None  # noqa: S101 - pages are only asked by visitors
        return self._visitors

    async def _look_after(self, visitors: Visitors) -> None:
        looks = 0
        while True:
            await asyncio.sleep(_LOOKS_EVERY)
            visitors.sweep()
            looks += 1
            if self._certificates is not None and looks % _LOOKS_AT_FILES_EVERY == 0:
                self._certificates.refresh()

    def _leave_note(self) -> None:
        """Tell this user's commands where the bot is found; without a token one is made that they find there."""
        made = made_up() if self.terms.token is None and self.terms.loopback else None
        with contextlib.suppress(RuntimeError, OSError):  # there is no place for it: nothing can be changed then
            note = notes.Note(self.url, self._source.service, self._pid, made, self.terms.certificate)
            self._note = notes.leave(note, self.terms.host, self.port)
            self._keys.token = self.terms.token or made


def reason_of(error: OSError) -> str:
    """Why, in words."""
    known = error.errno is not None and error.errno > 0  # a name that cannot be resolved has a negative one
    return os.strerror(error.errno or 0) if known else error.strerror or str(error)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.create_server((host, port), family=family, backlog=128)
    made.setblocking(False)  # here, as each copy that is made changes it for all of them to what the copied one has
    return made
