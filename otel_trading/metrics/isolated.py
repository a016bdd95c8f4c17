"""Callbacks of observable instruments for the SDK, which would wait for one that hangs with its locks held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import CallbackOptions, Observation

from otel_trading import redaction
from otel_trading.metrics import guard
from otel_trading.metrics.native.callbacks import Callback
from otel_trading.metrics.native.meter import NativeMeter
from otel_trading.metrics.native.observer import Observer
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import Meter

_PATIENCE = 1.0
"""Seconds a collection waits for a callback."""


class Callbacks:
    """Makes callbacks that can be handed to the SDK: what they raise, and the time they take, is theirs."""

    def __init__(self, lose: Callable[[str], None]) -> None:
        self._lose = lose
        self._observer = Observer(_PATIENCE)
        self._made: list[_Isolated] = []

    def of(self, instrument: str, given: Any) -> Callable[[Meter], Any]:  # noqa: ANN401 - what the bot calls callbacks
        """Those of one instrument, by the meter it is made with: the native one isolates them itself."""
        if not isinstance(given, (list, tuple)):
            return lambda _: given  # nothing, or what the SDK refuses
        made = []
        for call in given:
            try:
                made.append(_Isolated(Callback(instrument, call), self._observer, self._lose))
            except Exception as error:  # a generator that fails before it yields
                report(f"a callback of {instrument!r} is not used: {type(error).__name__}: {error}")
        self._made += made
        return lambda meter: given if isinstance(meter, NativeMeter) else made

    def restart_in_child(self) -> None:
        """Ask them in threads of the child's own."""
        self._observer.restart_in_child()
        for each in self._made:
            each.callbacks[0].restart_in_child()


class _Isolated:
    """One callback; for the observer an instrument with that callback alone."""

    def __init__(self, callback: Callback, observer: Observer, lose: Callable[[str], None]) -> None:
        self.callbacks = (callback,)
        self._observer = observer
        self._lose = lose

    def __call__(self, options: CallbackOptions) -> Iterable[Observation]:
        (callback,) = self.callbacks
        failures = callback.failures
        answers = self._observer.observe([self], self, options.timeout_millis / 1_000)  # type: ignore[list-item]
        if not answers:
            self._lose("callback_late")
        if callback.failures > failures:
            self._lose("callback_failed")
        for _, values in answers:
            for value, attributes in values:
                number = guard.number(value)
                if number is None:
                    self._lose("invalid_value")
                else:
                    yield Observation(number, redaction.attributes(attributes))
