"""Who is told of what."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from otel_trading.alerts.model import AlertLevel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

LOG = "log"
"""The channel that is always there, and is told everything."""
PAGERS = frozenset({"pagerduty", "pager", "opsgenie"})
"""Kinds of channels that wake people: without routes they hear of errors and worse."""
CHATS = frozenset({"slack", "telegram", "discord", "webhook", "teams", "mattermost", "ntfy"})
"""Kinds of channels that hear of everything without routes, also of what is only to be known."""


@dataclass(frozen=True, slots=True)
class Route:
    """Alerts of these rules, from this level on, go to these channels; of several routes the first that fits decides.

    Args:
        channels: names; none is nobody but the log.
        level: the least serious that it holds for.
        rule: a rule's name, with ``*`` and ``?``.

    """

    channels: tuple[str, ...]
    level: AlertLevel = AlertLevel.INFO
    rule: str = "*"

    def fits(self, rule: str, level: AlertLevel) -> bool:
        """Whether it decides about an alert."""
        return level.rank >= self.level.rank and fnmatchcase(rule, self.rule)


class Routing:
    """Knows the channels, and which of them an alert goes to.

    >>> routing = Routing()
    >>> routing.kinds = {"desk": "slack", "night": "pagerduty", "mail": "email"}
    >>> for level in AlertLevel:
    ...     print(level, routing.channels("stale_data", level))
    INFO ('log', 'desk')
    WARNING ('log', 'desk', 'mail')
    ERROR ('log', 'desk', 'night', 'mail')
    CRITICAL ('log', 'desk', 'night', 'mail')
    >>> routing.routes = [Route(("night",), AlertLevel.CRITICAL), Route(("desk",), rule="stale_*")]
    >>> routing.channels("stale_data", AlertLevel.ERROR), routing.channels("stale_data", AlertLevel.CRITICAL)
    (('log', 'desk'), ('log', 'night'))
    """

    def __init__(self) -> None:
        self.routes: Sequence[Route] = ()
        self.kinds: Mapping[str, str] = {}
        """What kind each channel is, by name."""

    def channels(self, rule: str, level: AlertLevel, own: Iterable[str] = ()) -> tuple[str, ...]:
        """Those that are told; ``own`` are the rule's."""
        wanted = tuple(own) or self._routed(rule, level)
        return tuple(dict.fromkeys((LOG, *(name for name in wanted if name in self.kinds))))

    def _routed(self, rule: str, level: AlertLevel) -> tuple[str, ...]:
        for route in self.routes:
            if route.fits(rule, level):
                return route.channels
        return tuple(name for name, kind in self.kinds.items() if _hears(kind, level))


def _hears(kind: str, level: AlertLevel) -> bool:
    if kind in PAGERS:
        return level.rank >= AlertLevel.ERROR.rank
    return level.rank >= AlertLevel.WARNING.rank or kind in CHATS
