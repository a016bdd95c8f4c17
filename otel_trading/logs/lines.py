"""Log lines: each is written once, natively, by the call that logs it; a thread of its own does the rest."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any

from otel_trading import _native, values
from otel_trading.logs import hooks
from otel_trading.logs.levels import LEVELS
from otel_trading.tracing import native as _tracing  # noqa: F401 - connects the core with the current span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from opentelemetry.sdk.resources import Resource

    from otel_trading.logs.shipping import LogShipper

_native.connect_logs(hooks)

Log = _native.Log
"""A component's logger, see ``Telemetry.log``."""

UID = "log.record.uid"
"""The attribute that tells a record from all others, in whichever way it arrives."""


class Lines:
    """Where all log lines of a process go in; survives reconfiguration and forks.

    ``write(severity, message, event="", service="", data=None, tags=(), *, time_ns=None, context=None)`` is the only
    way in. ``severity`` is OpenTelemetry's number, ``service`` the component, ``data`` the attributes; without a
    ``context`` the current span's is taken. It never raises, waits for nothing and takes about a microsecond. ``core``
    is the native side.
    """

    def __init__(self) -> None:
        self.core = _native.Logs()
        self.write = self.core.write
        self.logs: dict[str, Log] = {}
        """The loggers that were handed out, by component."""
        self.shipper: LogShipper | None = None
        """Who delivers."""
        self.owner: object = None
        """Who says who looks on."""
        self._recorded: tuple[object, ...] = ()
        os.register_at_fork(after_in_child=self.core.reset_in_child)

    def log(self, name: str) -> Log:
        """The logger of a component, the same one for the same name."""
        log = self.logs.get(name)
        if log is None:
            log = self.logs.setdefault(name, self.core.log(name))
            log.set_level(LEVELS.own(name))
        return log

    def take_levels(self) -> None:
        """Hold the process's levels: of all loggers, and of those that have one of their own."""
        self.core.level = LEVELS.threshold("")
        for name, log in list(self.logs.items()):
            log.set_level(LEVELS.own(name))

    @property
    def short_keys(self) -> Mapping[str, str]:
        """The keys that stand for attributes in the data of lines, by the attributes' names."""
        return dict(self.core.short_keys)

    @short_keys.setter
    def short_keys(self, keys: Mapping[str, str]) -> None:
        self.core.set_short_keys(list(keys.items()))

    def record(
        self, folder: Path | None, *, size: int, service: str = "", instance: bytes = bytes(16), budget: int = 1 << 62
    ) -> None:
        """Write into a ring of ``size`` bytes: in a file of this folder, without one in memory.

        A ring stays unless something of this is new. ``OSError`` when the file cannot be made; the ring stays then.
        """
        wanted = (folder, size, service, instance, budget)
        if self._recorded != wanted or (folder is not None and self.core.recording is None):
            self.core.record(size, folder, service, instance, budget)
            self._recorded = wanted

    def describe(self, resource: Resource) -> None:
        """Whose lines they are."""
        cleaned, _ = values.attributes(resource.attributes) or ({}, ())
        self.core.describe(resource.schema_url or "", cleaned, str(cleaned.get("service.name", "")))

    def forward(self, observer: Callable[..., Any] | None) -> None:
        """Have nothing but this called with each line; ``None`` for the native way."""
        self.owner = observer
        self.core.set_observer(observer, True)


@functools.cache
def lines() -> Lines:
    """The process's."""
    made = Lines()
    LEVELS.watch(made.take_levels)
    made.take_levels()
    return made
