"""From which level on lines are taken, by logger; changed while the bot runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading import forks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SEVERITIES = {"TRACE": 1, "DEBUG": 5, "INFO": 9, "WARNING": 13, "ERROR": 17, "CRITICAL": 21}
"""OpenTelemetry's severity numbers of the levels, by name."""

_STDLIB = {1: 5, 5: 10, 9: 20, 13: 30, 17: 40, 21: 50}
_REMEMBERED = 10_000
"""Names whose threshold is remembered; a bot may make them up."""


def severity_of(levelno: int) -> int:
    """OpenTelemetry's severity number of a level of ``logging``; levels between two count upwards, at most three.

    >>> severity_of(20), severity_of(25), severity_of(5), severity_of(60)
    (9, 12, 1, 24)
    """
    if levelno < 10:  # noqa: PLR2004 - logging.DEBUG
        return 1
    tens = min(levelno // 10, 5)
    return 4 * tens + 1 + min(levelno - 10 * tens, 3)


def level_name(severity: int) -> str:
    """The level that a line of this severity shows.

    >>> level_name(9), level_name(12), level_name(1), level_name(24)
    ('INFO', 'INFO', 'DEBUG', 'CRITICAL')
    """
    names = ("DEBUG", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
    return names[min(max(severity - 1, 0) // 4, 5)]


def parsed(level: str | int) -> int:
    """The severity number of a level, by its name or by its number in ``logging``; ``ValueError`` when it is none.

    >>> parsed("warning"), parsed(30)
    (13, 13)
    """
    if isinstance(level, bool) or not isinstance(level, str | int):
        raise ValueError(level)  # noqa: TRY004 - one error for whatever is no level
    if isinstance(level, int):
        return severity_of(level)
    try:
        return SEVERITIES[level.strip().upper()]
    except KeyError:
        raise ValueError(level) from None


class Levels:
    """The levels of all loggers, by names with dots: where a name has none, the nearest one above it holds.

    >>> levels = Levels()
    >>> levels.configure("INFO", {"venue": "WARNING"})
    >>> levels.threshold("venue.kraken"), levels.threshold("order_router")
    (13, 9)
    >>> levels.set("DEBUG", "venue.kraken")
    >>> levels.get("venue.kraken"), levels.shown()
    ('DEBUG', {'': 'INFO', 'venue': 'WARNING', 'venue.kraken': 'DEBUG'})
    """

    def __init__(self) -> None:
        self._lock = forks.lock()
        self._root = SEVERITIES["INFO"]
        self._asked_for: dict[str, int] = {}
        self._numbers: dict[str, int] = {"": self._root}
        self._known: dict[str, int] = {}
        self._watching: tuple[Callable[[], None], ...] = ()

    def configure(self, root: str | int, levels: Mapping[str, str]) -> None:
        """Begin anew with the levels of the settings; what was set since the last time holds no more."""
        with self._lock:
            self._root = parsed(root)
            self._asked_for = {name: parsed(level) for name, level in levels.items()}
            self._changed()

    def set(self, level: str | int | None, name: str = "") -> None:
        """Give a logger its level; ``None`` takes it back. ``ValueError`` when it is no level."""
        with self._lock:
            if level is None:
                self._asked_for.pop(name, None)
            else:
                self._asked_for[name] = parsed(level)
            self._changed()

    def get(self, name: str = "") -> str:
        """The name of the level that holds for a logger."""
        return _NAMES[max(number for number in _NAMES if number <= self.threshold(name))]

    def shown(self) -> dict[str, str]:
        """The names of the levels that were given, by logger; the one of ``""`` holds for all others."""
        return {name: self.get(name) for name in sorted(self._numbers)}

    def threshold(self, name: str) -> int:
        """The severity from which on a logger's lines are taken."""
        known = self._known
        number = known.get(name)
        if number is None:
            number = self._number(name)
            if len(known) < _REMEMBERED:
                known[name] = number
        return number

    def own(self, name: str) -> int:
        """As ``threshold``, but 0 where only the level of all loggers holds."""
        while name:
            if name in self._asked_for:
                return self._asked_for[name]
            name = name.rpartition(".")[0]
        return 0

    def lowest_stdlib(self) -> int:
        """The lowest of all levels, as a number of ``logging``: what is below is taken from nobody."""
        return stdlib_level(min(self._numbers.values()))

    def asked_for(self) -> dict[str, int]:
        """What was given for single loggers, or at run time, as numbers of ``logging``."""
        return {name: stdlib_level(number) for name, number in list(self._asked_for.items())}

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Call ``changed`` after each change; what is returned ends that."""
        with self._lock:
            self._watching = (*self._watching, changed)

        def undo() -> None:
            with self._lock:
                self._watching = tuple(each for each in self._watching if each is not changed)

        return undo

    def _changed(self) -> None:
        self._numbers = {"": self._root, **self._asked_for}
        self._known = {}
        for changed in self._watching:
            changed()

    def _number(self, name: str) -> int:
        numbers = self._numbers
        while name:
            if name in numbers:
                return numbers[name]
            name = name.rpartition(".")[0]
        return numbers[""]


def stdlib_level(severity: int) -> int:
    """The level of ``logging`` from which on records have at least this severity.

    >>> stdlib_level(13), stdlib_level(1), stdlib_level(12)
    (30, 5, 23)
    """
    base = max(number for number in _STDLIB if number <= max(severity, 1))
    return _STDLIB[base] + (severity - base if base > 1 else 0)


_NAMES = {number: name for name, number in SEVERITIES.items()}

LEVELS = Levels()
"""The process's."""
