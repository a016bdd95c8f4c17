"""Silences: what nobody is told about for a while."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from otel_trading import folders
from otel_trading.alerts.model import AlertLevel

_MOST = 500


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody is told of alerts that fit all three patterns, until it ends.

    Args:
        id: what it is ended by.
        rule: a rule's name, with ``*`` and ``?``.
        subject: what the alert is about, with ``*`` and ``?``.
        level: the least serious and the levels up to this one.
        until_ns: when it ends, in nanoseconds since 1970.
        reason: for those who wonder.
        by: who said so.
        since_ns: when.

    """

    id: str
    rule: str = "*"
    subject: str = "*"
    level: AlertLevel = AlertLevel.CRITICAL
    until_ns: int = 0
    reason: str = ""
    by: str = ""
    since_ns: int = 0

    def fits(self, rule: str, subject: str, level: AlertLevel) -> bool:
        """Whether it holds for an alert.

        >>> Silence("1", rule="stale_*", level=AlertLevel.WARNING).fits("stale_data", "binance", AlertLevel.WARNING)
        True
        """
        within = level.rank <= self.level.rank
        return within and fnmatchcase(rule, self.rule) and fnmatchcase(subject, self.subject)


class Silences:
    """All that hold; those that ended are forgotten."""

    def __init__(self) -> None:
        self._all: dict[str, Silence] = {}
        self.changed = False
        """Whether they differ from what was written."""

    def add(self, silence: Silence) -> None:
        """One more; the oldest goes where they are too many."""
        if len(self._all) >= _MOST:
            del self._all[next(iter(self._all))]
        self._all[silence.id] = silence
        self.changed = True

    def remove(self, known: str) -> bool:
        """End one; whether it was there."""
        found = self._all.pop(known, None) is not None
        self.changed |= found
        return found

    def now(self, now_ns: int) -> list[Silence]:
        """Those that hold."""
        ended = [each.id for each in self._all.values() if each.until_ns <= now_ns]
        for each in ended:
            self.remove(each)
        return list(self._all.values())

    def silent(self, rule: str, subject: str, level: AlertLevel, now_ns: int) -> bool:
        """Whether an alert is one that nobody is told of."""
        return bool(self._all) and any(each.fits(rule, subject, level) for each in self.now(now_ns))

    def written(self) -> str:
        """All of them as JSON."""
        return json.dumps([asdict(each) for each in self._all.values()], indent=1)

    def read(self, text: str) -> None:
        """Take in what ``written`` gave; what is known already stays."""
        for row in json.loads(text):
            silence = Silence(**{**row, "level": AlertLevel(row["level"])})
            self._all.setdefault(silence.id, silence)


def path_of(folder: str | None, service: str) -> Path:
    """The file of a bot's silences; ``OSError`` when its folder cannot be used."""
    place = Path(folder) if folder else folders.state_folder("alerts")
    name = "".join(each if each.isalnum() or each in "-_." else "_" for each in service) or "bot"
    return folders.prepared(place, given=folder is not None) / f"{name}.silences.json"


def save(path: Path, text: str) -> None:
    """Write a file so that it is there as a whole or not at all."""
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    beside.write_text(text, "utf-8")
    beside.replace(path)
