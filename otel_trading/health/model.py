"""How the bot is, and what of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["healthy", "degraded", "down"]
STATES: tuple[State, ...] = ("healthy", "degraded", "down")

Kind = Literal[
    "venue",
    "event_loop",
    "thread",
    "disk",
    "memory",
    "collector",
    "telemetry",
    "emergency_stop",
    "dependency",
    "component",
]
"""``dependency`` is what the bot needs and does not consist of; ``component`` is what the bot itself added."""

ConditionKind = Literal["ConnectionDown", "HighLatency", "HighErrorRate", "LowDiskSpace"]


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the bot, or something it depends on.

    Args:
        name: such as ``venue binance``, ``event_loop MainThread``, ``postgres``.
        state: how it is.
        critical: whether the bot can do without it.
        reasons: why it is not healthy, in words.
        details: what is known of it, as JSON could say it.
        dependencies: the names of components that it needs.
        since_ns: since when it is like that, nanoseconds since 1970.
        checked_ns: when it was looked at last.
        kind: what sort of thing it is.

    """

    name: str
    state: State
    critical: bool = False
    reasons: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    dependencies: tuple[str, ...] = ()
    since_ns: int = 0
    checked_ns: int = 0
    kind: Kind = "component"


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is wrong for some time, and not over before it is right for some time.

    Args:
        kind: ``ConnectionDown``, ``HighLatency`` (seconds, the 99th percentile), ``HighErrorRate`` (errors a second)
            or ``LowDiskSpace`` (MB remaining).
        subject: the venue, or the file system.
        value: the figure when it was looked at last.
        limit: what it is compared with.
        text: all of it in words.
        since_ns: when it began, nanoseconds since 1970.

    >>> str(Condition("LowDiskSpace", "/", 812, 1024, "812 MB are left on /"))
    'LowDiskSpace(/): 812 MB are left on /'

    """

    kind: ConditionKind
    subject: str
    value: float
    limit: float
    text: str = ""
    since_ns: int = 0

    def __str__(self) -> str:
        return f"{self.kind}({self.subject}): {self.text}"


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The bot at one moment.

    Args:
        state: ``down`` when something critical is, ``degraded`` when anything else is not healthy.
        ready: whether it may be given work.
        reasons: why it is not healthy, in words.
        components: all there are.
        time_ns: the moment, nanoseconds since 1970.
        conditions: what holds at the moment.
        not_ready: why it is not ready, in words.
        metrics: figures of the process, such as ``memory_rss_mb``.

    """

    state: State
    ready: bool
    reasons: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()
    time_ns: int = 0
    conditions: tuple[Condition, ...] = ()
    not_ready: tuple[str, ...] = ()
    metrics: Mapping[str, object] = field(default_factory=dict)

    def component(self, name: str) -> Component | None:
        """The component of this name.

        >>> HealthReport("healthy", True, components=(Component("postgres", "healthy"),)).component("postgres").state
        'healthy'
        """
        return next((component for component in self.components if component.name == name), None)


def worst(*states: State) -> State:
    """The worst of some states; healthy when there are none.

    >>> worst("healthy", "down", "degraded"), worst()
    ('down', 'healthy')
    """
    return STATES[max(map(STATES.index, states), default=0)]
