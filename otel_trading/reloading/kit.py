"""The kit's own options, as its file changes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.forks import whole_imports
from otel_trading.reloading.difference import Change, difference
from otel_trading.reloading.outcome import Outcome
from otel_trading.reloading.subject import Subject
from otel_trading.reloading.trial import objections
from otel_trading.reloading.watch import FileWatch
from otel_trading.settings import Settings, files, resolve
from otel_trading.settings.load import wrong_in
from otel_trading.settings.options import metadata, shown
from otel_trading.settings.sources import Value, file, find_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.reloading.audit import Audit, Host
    from otel_trading.reloading.watch import Sighting
    from otel_trading.settings import Resolved

    Apply = Callable[[Resolved], list[str]]

EMPTY = "it is empty; write at least a comment if that is meant"
_STRONGER = ("argument", "environment")


class KitFile:
    """Takes what the file holds as ``configure()`` would with the arguments it was given, or not at all."""

    def __init__(self, host: Host, audit: Audit) -> None:
        self._host = host
        self._given: dict[str, object] = {}
        self._folder = Path()
        self._apply: Apply | None = None
        self._in_file: Mapping[str, object] = {}
        self.has_file = False
        """Whether there is a file, or was, or one was asked for."""
        self.subject = Subject(self, audit)

    def begin(self, given: Mapping[str, object], resolved: Resolved, folder: Path, apply: Apply) -> None:
        """Start from what ``configure()`` was given and found; ``apply`` puts other settings in force."""
        self._given, self._folder, self._apply = dict(given), folder, apply
        self._in_file = _values(resolved.file, resolved.content)
        self.has_file = resolved.file is not None
        self.subject.begin(FileWatch(self.find, resolved.content, usable))

    def find(self) -> Path | None:
        """Where the file is now, if there is one."""
        found = find_file(self._given.get("config_file"), os.environ, self._folder)
        return None if found is None else self._folder / found

    @property
    def source(self) -> str:
        found = self.find()
        return "the configuration file" if found is None else str(found)

    def take(self, sighting: Sighting, by: str) -> Outcome:
        path, content = sighting.path, sighting.content
        if path is None or content is None:
            return Outcome(self.source if path is None else str(path), by, "refused", problems=(sighting.problem,))
        self.has_file = True
        with whole_imports():
            return self._taken(path, content, by)

    def _taken(self, path: Path, content: bytes, by: str) -> Outcome:
        wrong = wrong_in(path, content) if content.strip() else [EMPTY]
        if wrong or self._apply is None:
            return Outcome(str(path), by, "refused", problems=tuple(wrong or ["there is nothing to change"]))
        now = self._host.resolved
        given = {**self._given, "config_file": path}
        wanted = resolve(given, folder=self._folder, content=content)
        held = {name: _held(now, name) for name in Settings.model_fields if metadata(name)["restart"]}
        resolved = resolve(given, folder=self._folder, content=content, held=held)
        changes = options_changed(now.settings, resolved.settings)
        later = tuple(change for change in options_changed(now.settings, wanted.settings) if _option(change) in held)
        problems = objections(now.settings, resolved.settings) or self._apply(resolved)
        if problems:
            return Outcome(str(path), by, "refused", problems=tuple(problems))
        before, self._in_file = self._in_file, _values(path, content)
        hidden = tuple(
            name
            for name in Settings.model_fields
            if before.get(name) != self._in_file.get(name) and resolved.origins[name].startswith(_STRONGER)
        )
        done = changes or later or hidden
        return Outcome(str(path), by, "applied" if done else "unchanged", changes, later, hidden)


def usable(path: Path, content: bytes) -> bool:
    """Whether a file may be whole: what ends in the middle is mostly not to be understood."""
    try:
        files.parsed(content, path.suffix)
    except Exception:
        return False
    return True


def options_changed(old: Settings, new: Settings) -> tuple[Change, ...]:
    """The options that differ, as people may see them; of tables, the keys."""
    found: list[Change] = []
    for name in Settings.model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if metadata(name)["secret"] or not (isinstance(before, dict) and isinstance(after, dict)):
            found.append(Change(name, _shown(name, before), _shown(name, after)))
        else:
            found += difference(before, after, name)
    return tuple(found)


def _shown(name: str, value: object) -> str | None:
    return None if value is None else shown(name, value)


def _option(change: Change) -> str:
    return change.key.partition(".")[0]


def _held(resolved: Resolved, name: str) -> Value:
    value = getattr(resolved.settings, name)
    return Value(value, resolved.origins[name], name, value)


def _values(path: Path | None, content: bytes | None) -> dict[str, object]:
    if path is None or content is None:
        return {}
    return {name: value.raw for name, value in file(path, content).values.items()}
