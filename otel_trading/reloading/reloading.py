"""Everything that is reloaded: the kit's file, and the bot's configurations."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from otel_trading.reloading.audit import Audit
from otel_trading.reloading.kit import KitFile
from otel_trading.reloading.watcher import Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeVar

    from otel_trading.reloading.audit import Host, Listener
    from otel_trading.reloading.config import Config
    from otel_trading.reloading.kit import Apply
    from otel_trading.reloading.outcome import Outcome
    from otel_trading.reloading.subject import Subject
    from otel_trading.settings import Resolved

    T = TypeVar("T")

_SHARE = 0.3
"""Of the time there is for the end of telemetry: a change that goes on must not take the delivery's."""

_IDLE = 10
"""How much longer the pauses are while there is no file at all."""


class House(Protocol):
    """Where watchers live."""

    def invite(self, guests: Sequence[Any]) -> None: ...


class Reloading:
    """Started by ``configure()``, ended with telemetry.

    A forked child watches the files, too: the parent's limits and its own stay the same.
    """

    def __init__(self, host: Host, house: House) -> None:
        self._host = host
        self._house = house
        self._audit = Audit(host)
        self._began = False
        self.kit = KitFile(host, self._audit)
        self.configs: list[Config[Any]] = []
        self._watchers: dict[Subject, Watcher] = {self.kit.subject: self._watcher("the options", self.kit.subject)}
        self._audit.subscribe(lambda _: self._wake())

    def begin(self, given: Mapping[str, object], resolved: Resolved, folder: Path, apply: Apply) -> None:
        """Watch from now on, as the settings say."""
        self.kit.begin(given, resolved, folder, apply)
        for config in self.configs:
            config.begin()
        self._began = True
        self._invite()
        self._wake()  # who waits for as long as the settings said before

    def watch(
        self, model: type[T], file: str | Path | None, section: str | None, env_prefix: str | None, default: T | None
    ) -> Config[T]:
        """See ``Telemetry.watch_config``."""
        from otel_trading.reloading.config import Config
        from otel_trading.settings.keys import OF_THE_BOT

        part = OF_THE_BOT if section is None and file is None else section or ""
        config = Config(model, self.kit.find if file is None else file, part, env_prefix or "", default, self._audit)
        self.configs.append(config)
        self._watchers[config.subject] = self._watcher(config.source, config.subject)
        config.forget = lambda: self._forget(config)
        self._invite()
        return config

    def _forget(self, config: Config[Any]) -> None:
        if self._watchers.pop(config.subject, None) is not None:
            self.configs.remove(config)
            self._invite()

    def reload(self, by: str = "api") -> tuple[Outcome, ...]:
        """Take all files as they are now; what became of each, the kit's first.

        Waits while a file is written, up to some seconds: on an event loop, in a thread.
        """
        return tuple(subject.reload(by) for subject in self._subjects())

    def reload_soon(self, by: str) -> bool:
        """The same without waiting, and without a lock, for handlers of signals; False when there is no file."""
        subjects = [subject for subject in self._subjects() if not subject.ended]
        for subject in subjects:
            subject.reload_soon(by)
        self._wake()
        return bool(subjects)

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have it called with the outcome of each change, by the thread that took it; call the result to end that."""
        return self._audit.subscribe(listener)

    @property
    def problems(self) -> list[str]:
        """Which files are refused at the moment, and what holds only from the next start on."""
        return [problem for subject in list(self._watchers) for problem in subject.problems]

    def end(self, deadline: float) -> None:
        """Take no change any more; one that goes on is waited for until then (monotonic seconds)."""
        now = time.monotonic()
        patience = now + (deadline - now) * _SHARE
        for subject in list(self._watchers):
            subject.end(patience if subject is self.kit.subject else now)  # the bot's own code may hang
        self._house.invite([])
        self._watchers[self.kit.subject].join(patience)

    def restart_in_child(self) -> None:
        """Watch in a forked child."""
        for watcher in self._watchers.values():
            watcher.restart_in_child()
        for subject in self._watchers:
            subject.restart_in_child()
        if self._began:
            self._invite()

    def _subjects(self) -> list[Subject]:
        """Those that have a file."""
        kit = [self.kit.subject] if self.kit.has_file else []
        return [*kit, *(config.subject for config in self.configs if config.has_file)]

    def _watcher(self, name: str, subject: Subject) -> Watcher:
        return Watcher(f"the watcher of {name}", lambda: self._look(subject))

    def _look(self, subject: Subject) -> float | None:
        settings = self._host.settings
        if not settings.reload_enabled:
            subject.look_if_asked()
            return None
        idle = subject is self.kit.subject and not self.kit.has_file and not subject.settling
        return subject.look(settings.reload_interval * (_IDLE if idle else 1))

    def _wake(self) -> None:
        for watcher in list(self._watchers.values()):
            watcher.wake()

    def _invite(self) -> None:
        resolved = self._host.resolved
        hard = resolved.settings.disabled and resolved.origins["disabled"].startswith(("argument", "environment"))
        guests = [watcher for subject, watcher in self._watchers.items() if not (hard and subject is self.kit.subject)]
        self._house.invite(guests)
