"""Values read by one thread and shown by observable instruments: a scrape finds them ready."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from opentelemetry.metrics import Observation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.metrics import CallbackOptions, Meter
    from opentelemetry.util.types import Attributes

Observations = tuple[Observation, ...]
Psutil = Any
"""The module psutil, which carries no types and is imported by the thread that uses it."""


class Row(NamedTuple):
    """An observable instrument."""

    name: str
    kind: Literal["counter", "up_down_counter", "gauge"]
    unit: str
    description: str


class Readings:
    """The latest values of observable instruments; nothing is shown of what could not be read."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._current: dict[str, Observations] = {}
        self._shown: dict[str, Mapping[str, Observations]] = {}
        self._declared: set[str] = set()

    def declare(self, rows: Sequence[Row]) -> None:
        """Create the instruments; a second time does nothing."""
        for row in rows:
            if row.name not in self._declared:
                self._declared.add(row.name)
                create = getattr(self._meter, f"create_observable_{row.kind}")
                create(row.name, [partial(self._observe, row.name)], row.unit, row.description)

    def show(self, component: str, values: Mapping[str, Observations]) -> None:
        """Show these values of a component from now on, and none of those that it showed before and does not give."""
        for name in self._shown.get(component, {}).keys() - values.keys():
            self._current.pop(name, None)
        self._current.update(values)
        self._shown[component] = values

    def clear(self) -> None:
        """Show nothing."""
        self._current.clear()
        self._shown.clear()

    def _observe(self, name: str, _: CallbackOptions) -> Iterable[Observation]:
        return self._current.get(name, ())


def one(value: float, attributes: Attributes = None) -> Observations:
    """A single observation, as the value of an instrument.

    >>> one(3)[0].value
    3
    """
    return (Observation(value, attributes),)


def by(attribute: str, values: Mapping[str, float]) -> Observations:
    """One observation for each value of an attribute.

    >>> [(each.value, each.attributes) for each in by("cpu.mode", {"user": 0.5})]
    [(0.5, {'cpu.mode': 'user'})]
    """
    return tuple(Observation(value, {attribute: name}) for name, value in values.items())
