"""The bot's own configuration: a model that is replaced as a whole when its file changes."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from otel_trading import forks
from otel_trading.forks import whole_imports
from otel_trading.reloading.difference import Change, difference, flat
from otel_trading.reloading.kit import EMPTY, usable
from otel_trading.reloading.model import ConfigError, Model
from otel_trading.reloading.outcome import Outcome
from otel_trading.reloading.subject import Subject
from otel_trading.reloading.subscribers import Subscriber, subscriber
from otel_trading.reloading.watch import FileWatch
from otel_trading.settings import files, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.reloading.audit import Audit
    from otel_trading.reloading.watch import Sighting

T = TypeVar("T")

__all__ = ["Change", "Config", "ConfigError", "Outcome"]


class Config(Generic[T]):
    """The bot's configuration as it is now; made by ``Telemetry.watch_config``.

    Whoever reads ``current`` several times may see several configurations; whoever keeps it sees one.
    """

    current: T
    """The configuration: one object that stays as it is, until there is another. Reading it costs nanoseconds."""

    def __init__(
        self,
        kind: type[T],
        file: Callable[[], Path | None] | str | Path,
        section: str,
        prefix: str,
        default: T | None,
        audit: Audit,
    ) -> None:
        self._model: Model[T] = Model(kind, section, prefix)
        self._find = file if callable(file) else _always(Path(file).expanduser().absolute())
        self._section = section
        self._lock = forks.lock()
        self._checks: list[Subscriber] = []
        self._callbacks: list[Subscriber] = []
        self._accused = False
        self.forget: Callable[[], None] = _nobody
        """How to have it watched no more."""
        self.subject = Subject(self, audit)
        self._known: bytes | None = None
        self._replace(self._first(default))
        self.begin()

    @property
    def source(self) -> str:
        """Where it comes from."""
        path = self._find()
        place = "the environment" if path is None else str(path)
        return f"{place} [{self._section}]" if self._section else place

    @property
    def has_file(self) -> bool:
        """Whether there is a file, or was."""
        return self._known is not None or self._find() is not None

    @property
    def problems(self) -> tuple[str, ...]:
        """Why the file as it is now is refused; empty when it holds."""
        return self.subject.problems

    def begin(self) -> None:
        """Take changes from now on."""
        problems = self.subject.problems
        self.subject.begin(FileWatch(self._find, self._known, usable))
        self.subject.problems = problems

    def reload(self, by: str = "api") -> Outcome:
        """Take the file and the variables as they are now, and say what became of it.

        Waits while the file is written, up to some seconds: on an event loop, use ``asyncio.to_thread``.
        """
        return self.subject.reload(by)

    def close(self) -> None:
        """Watch it no more; ``current`` stays as it is."""
        self.subject.end(0.0)
        self.subject.problems = ()
        self.forget()

    def check(self, validator: Callable[[T, T, tuple[Change, ...]], object]) -> Callable[[], None]:
        """Ask it before a change, with the old configuration, the new one, and what differs; call the result to end it.

        It objects by returning ``False`` or why, or by raising: then nothing of the change holds. A function is called
        by a thread of the kit's, a coroutine function on the event loop it was registered on; it has 5 s.
        """
        return self._add(self._checks, validator)

    def on_change(self, callback: Callable[[T, T, tuple[Change, ...]], object]) -> Callable[[], None]:
        """Call it after a change, as ``check``; registered on an event loop, functions are called there, too."""
        return self._add(self._callbacks, callback)

    def take(self, sighting: Sighting, by: str) -> Outcome:
        """See ``Taker``."""
        source = self.source
        try:
            new = self._read(sighting)
        except ConfigError as error:
            return Outcome(source, by, "refused", problems=error.problems)
        self._known = sighting.content
        self._accuse_the_bot()
        changes = difference(self._values, new)
        if not changes:
            return Outcome(source, by, "unchanged")
        old = self.current
        objections = [each.objection(old, new, changes) for each in self._checks]
        problems = tuple(objection for objection in objections if objection is not None)
        if problems:
            return Outcome(source, by, "refused", changes, problems=problems)
        self._replace(new)
        for callback in self._callbacks:
            callback.tell(old, new, changes)
        return Outcome(source, by, "applied", changes)

    def _add(self, those: list[Subscriber], call: Callable[..., Any]) -> Callable[[], None]:
        added = subscriber(call)
        with self._lock:
            those.append(added)

        def end() -> None:
            with self._lock:
                if added in those:
                    those.remove(added)

        return end

    def _first(self, default: T | None) -> T:
        path = self._find()
        try:
            if path is not None:
                self._known = files.read(path)
            return self._model.read(path, self._known, os.environ)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            problem = error if isinstance(error, ConfigError) else ConfigError(self.source, (reason,))
            if default is None:
                raise problem from None
            report(f"{problem}; the default holds")
            self.subject.problems = tuple(f"{self.source}: {each}" for each in problem.problems)
            return default

    def _read(self, sighting: Sighting) -> T:
        if sighting.content is None and sighting.path is not None:
            raise ConfigError(self.source, (sighting.problem,))
        if sighting.content is None and self._known is not None:
            raise ConfigError(self.source, (sighting.problem,))
        if sighting.content is not None and not sighting.content.strip():
            raise ConfigError(self.source, (EMPTY,))
        with whole_imports():
            return self._model.read(sighting.path, sighting.content, os.environ)

    def _replace(self, new: T) -> None:
        self.current = new
        self._values = _kept(flat(new))

    def _accuse_the_bot(self) -> None:
        """Say it once when the bot itself has changed what stays as it is."""
        if not self._accused and (found := difference(self._values, flat(self.current))):
            self._accused = True
            changes = ", ".join(map(str, found))
            report(f"the bot has changed its own configuration ({changes}); make {type(self.current).__name__} frozen")


def _nobody() -> None:
    """Nobody watches it."""


def _always(path: Path) -> Callable[[], Path | None]:
    return lambda: path


def _kept(values: dict[str, object]) -> dict[str, object]:
    """Values that nobody else can change."""
    try:
        return copy.deepcopy(values)
    except Exception:  # of the bot's own kinds; then they may change with it
        return dict(values)
