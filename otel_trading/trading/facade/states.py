"""Instruments that are 1 for the state something has, and 0 for those that it could have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.trading.conventions import ATTRIBUTES, create

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.metrics.instruments import Meter

_THINGS = 4_096


class States:
    """The states of things that are told apart by attributes.

    >>> from opentelemetry.metrics import NoOpMeter
    >>> states = States("trading.state", "trading.state.value")
    >>> states.connect(NoOpMeter("bot"))
    >>> states.change({}, "halted"), states.change({}, "halted"), states.change({}, "active")
    ('', 'halted', 'halted')
    """

    def __init__(self, instrument: str, attribute: str) -> None:
        self._instrument = instrument
        self._attribute = attribute
        self._values = ATTRIBUTES[attribute].values
        self._now: dict[tuple[tuple[str, Any], ...], str] = {}

    def connect(self, meter: Meter) -> None:
        """Report to this meter from now on."""
        self._counter: Any = create(meter, self._instrument)
        for key, state in self._now.items():
            self._begin(dict(key), state)

    def change(self, attributes: Mapping[str, Any], state: str) -> str:
        """Something has this state from now on; the one it had, empty if none was known."""
        key = tuple(sorted(attributes.items()))
        before = self._now.get(key, "")
        if before == state:
            return before
        if not before:
            if len(self._now) >= _THINGS:
                return ""
            self._begin(attributes, state)
        else:
            self._add(attributes, before, -1)
            self._add(attributes, state, 1)
        self._now[key] = state
        return before

    def now(self) -> list[tuple[Mapping[str, Any], str]]:
        """What has which state."""
        return [(dict(key), state) for key, state in self._now.copy().items()]

    def clear(self) -> None:
        """Forget all, as in a forked child."""
        self._now.clear()

    def _begin(self, attributes: Mapping[str, Any], state: str) -> None:
        for each in dict.fromkeys((*self._values, state)):
            self._add(attributes, each, int(each == state))

    def _add(self, attributes: Mapping[str, Any], state: str, amount: int) -> None:
        self._counter.add(amount, {**attributes, self._attribute: state})
