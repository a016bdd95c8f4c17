"""Metrics as JSON in a file, written at an interval.

A dump is one JSON object on one line, the same from both engines::

    {
      "timestamp": 1700000060.5,
      "resource": {"service.name": "basis-bot"},
      "metrics": [
        {
          "name": "bot.frames", "unit": "{frame}", "kind": "counter", "scope": "my_bot",
          "points": [{"attributes": {"venue": "binance"}, "value": 3}]
        },
        {
          "name": "bot.decide", "unit": "s", "kind": "histogram", "scope": "my_bot", "temporality": "delta",
          "points": [{
            "attributes": {}, "count": 2, "sum": 0.3, "min": 0.1, "max": 0.2,
            "quantiles": {"p50": 0.1, "p95": 0.2, "p99": 0.2, "p999": 0.2}
          }]
        }
      ]
    }

``timestamp`` is the Unix time in seconds of the latest point. ``kind`` is ``counter``, ``up_down_counter``, ``gauge``
or ``histogram``; ``temporality`` is there when it is not cumulative. ``sum``, ``min``, ``max`` and ``quantiles`` are
absent where they are not known. Numbers that JSON does not have are ``null``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.export.periodic import Periodic
from otel_trading.export.tickets import Tickets
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.export.ledger import Ledger

_STAMP = "%Y%m%dT%H%M%S.%fZ"


class JsonDump(Periodic):
    """Writes what ``render`` returns to a file every ``interval`` seconds, from a thread of its own.

    The file at ``path`` is always whole: it is replaced at once, and readers see the dump before or the one after.
    With ``keep`` above zero the newest dumps also stay under names with their time, ``metrics-20250102T030405.000006Z
    .json`` beside ``metrics.json``, and older ones are deleted. What cannot be written is counted as ``unwritable``,
    and reported when that is news; the bot is not told.
    """

    def __init__(
        self,
        render: Callable[[], bytes],
        path: Path | str,
        ledger: Ledger,
        *,
        interval: float,
        keep: int = 0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.ledger = ledger
        self.target = Path(path).expanduser().absolute()
        self._render = render
        self._keep = keep
        self._now = now
        super().__init__("otel-json-dump", interval)

    def restart_in_child(self) -> None:
        """Leave the file to the parent: two processes would overwrite each other's."""
        self._closing = True
        self._tickets = Tickets()
        self._thread = threading.Thread()
        self.ledger.reset()

    def wait_flushed(self, ticket: int, deadline: float) -> bool:
        """See ``Periodic``; true in a forked child."""
        return self._thread.ident is None or super().wait_flushed(ticket, deadline)

    def wait_closed(self) -> bool:
        """See ``Periodic``; true in a forked child."""
        return self._thread.ident is None or super().wait_closed()

    def _work(self) -> None:
        self.ledger.emitted()
        try:
            self._write(self._render())
        except Exception as error:
            self._failed(error)
            return
        self.ledger.sent(1)
        if self._failing:
            report(f"metrics are written to {self.target} again")
        self._failing = False

    def _write(self, content: bytes) -> None:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.target.with_name(f".{self.target.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(content + b"\n")
            if self._keep:
                self._retain(unfinished)
            unfinished.replace(self.target)
        except BaseException:
            with contextlib.suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise

    def _retain(self, unfinished: Path) -> None:
        """Keep the dump under its time, and delete the oldest of those beyond ``keep``."""
        stamp = datetime.fromtimestamp(self._now(), UTC).strftime(_STAMP)
        kept = self.target.with_name(f"{self.target.stem}-{stamp}{self.target.suffix}")
        try:
            os.link(unfinished, kept)
        except OSError:  # not every file system has links
            shutil.copyfile(unfinished, kept)
        for old in self.retained()[: -self._keep]:
            old.unlink(missing_ok=True)

    def retained(self) -> list[Path]:
        """The dumps that are kept under their time, oldest first."""
        start, end = f"{self.target.stem}-", self.target.suffix
        return sorted(
            path
            for path in self.target.parent.iterdir()
            if path.name.startswith(start) and path.name.endswith(end) and _is_stamp(path.name[len(start) :], end)
        )

    def _failed(self, error: Exception) -> None:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
        self.ledger.dropped("unwritable")
        self.ledger.failed(reason)
        if not self._failing:
            report(f"metrics cannot be written to {self.target} ({reason}); the next dump is tried on time")
        self._failing = True


def _is_stamp(name: str, end: str) -> bool:
    """Whether a name is a time, so that no file of somebody else's is deleted."""
    try:
        datetime.strptime(name.removesuffix(end), _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
