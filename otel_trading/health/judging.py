"""From components to the state of the whole."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from otel_trading.health.model import HealthReport, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from otel_trading.health.model import Component, State


def spread(components: Iterable[Component], needs: Mapping[str, tuple[str, ...]]) -> list[Component]:
    """The components, where one needs another that is down degraded at least; ``needs`` are further dependencies.

    >>> from otel_trading.health.model import Component
    >>> venue = Component("venue kraken", "healthy", dependencies=("redis",))
    >>> spread([venue, Component("redis", "down")], {})[0].reasons
    ('redis is down',)
    """
    listed = [
        replace(each, dependencies=tuple(dict.fromkeys((*each.dependencies, *needs[each.name]))))
        if each.name in needs
        else each
        for each in components
    ]
    down = {each.name for each in listed if each.state == "down"}
    if not down:
        return listed
    return [_with_dependencies(each, down) for each in listed]


def whole(components: Sequence[Component]) -> tuple[State, tuple[str, ...]]:
    """The state of the whole and why: down where something critical is, degraded where anything is not healthy.

    >>> from otel_trading.health.model import Component
    >>> whole([Component("redis", "down", reasons=("refused",))])
    ('degraded', ('redis is down: refused',))
    """
    unwell = [each for each in components if each.state != "healthy"]
    states: list[State] = [each.state if each.critical else "degraded" for each in unwell]
    unwell.sort(key=lambda each: (each.state != "down", not each.critical))
    return worst(*states), tuple(in_words(each) for each in unwell)


def in_words(component: Component) -> str:
    """How a component is, in a line."""
    why = "; ".join(component.reasons)
    return f"{component.name} is {component.state}{f': {why}' if why else ''}"


def as_report(components: Sequence[Component], not_ready: tuple[str, ...], time_ns: int) -> HealthReport:
    """The report on these components; what is down and critical makes it unready, too."""
    state, reasons = whole(components)
    hindered = [f"{each.name} is down" for each in components if each.critical and each.state == "down"]
    why = (*not_ready, *hindered)
    return HealthReport(state, not why, reasons, tuple(components), time_ns, not_ready=why)


def _with_dependencies(component: Component, down: set[str]) -> Component:
    missing = [name for name in component.dependencies if name in down and name != component.name]
    if not missing:
        return component
    said = tuple(f"{name} is down" for name in missing)
    return replace(component, state=worst(component.state, "degraded"), reasons=(*component.reasons, *said))
