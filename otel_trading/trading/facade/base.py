"""What all parts of the facade share: the ways out of an event, numbers, words, time."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import trace

from otel_trading import _native, forks
from otel_trading.settings.complaints import Complaints
from otel_trading.trading.conventions import NAMES
from otel_trading.trading.events import EVENTS
from otel_trading.trading.fanout import Fanout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.trace import Span, Tracer

    from otel_trading.metrics.instruments import Meter
    from otel_trading.metrics.timer import Timer
    from otel_trading.trading.conventions.fix import FixEnum
    from otel_trading.trading.fanout import Lines, Listener, Values
    from otel_trading.trading.orders.order import Amount

NUMBERS = frozenset({int, float, Decimal})
_WORDS = 1_024
"""Different words for one field that are remembered."""


class Reporter:
    """Hands events to their fan-outs, which are made when their event happens for the first time."""

    def __init__(
        self,
        meter: Meter,
        tracer: Tracer,
        lines: Lines,
        symbols: Iterable[str] = (),
        timer: Callable[..., Timer] | None = None,
    ) -> None:
        self._lines = lines
        self._timer = timer
        self._making = forks.lock()
        self._complaints = Complaints("trading events")
        self.clock: Callable[[], int] = _native.wall_ns
        """What tells the time, in nanoseconds since 1970; a backtest puts its own clock here."""
        self._listeners: dict[str, tuple[Listener, ...]] = {}
        self.failures: dict[str, int] = {}
        """Events that could not be reported, by name."""
        self.connect(meter, tracer, symbols)

    def connect(self, meter: Meter, tracer: Tracer, symbols: Iterable[str] = ()) -> None:
        """Report to this meter and tracer from now on; of symbols only these are told apart in metrics, if any."""
        self._meter = meter
        self._tracer = tracer
        self._symbols = frozenset(symbols)
        for name in [name for name in self.__dict__ if name.startswith("_on_")]:
            delattr(self, name)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - fan-outs, when they are asked for
        """Make the fan-out of an event at its first use."""
        event = NAMES.get(name.removeprefix("_on_")) if name.startswith("_on_") else None
        if event is None:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        with self._making:
            made = self.__dict__.get(name)
            if made is None:
                made = Fanout(EVENTS[event], self._meter, self._lines, self._symbols)
                made.listeners = self._listeners.get(event, ())
                setattr(self, name, made)
        return made

    def subscribe(self, listener: Listener, events: Iterable[str] = EVENTS) -> Callable[[], None]:
        """Have a function called with each of these events, on the bot's thread; what undoes it.

        It gets the event's declaration, its values in the order of the declared fields, and the time in nanoseconds;
        it has to be quick. What it raises is counted and goes no further.
        """
        names = [NAMES.get(name, name) for name in events]
        for name in names:
            self._listen(name, (*self._listeners.get(name, ()), listener))

        def undo() -> None:
            for name in names:
                self._listen(name, tuple(other for other in self._listeners.get(name, ()) if other is not listener))

        return undo

    @property
    def listeners(self) -> dict[str, tuple[Listener, ...]]:
        """Who is called, by the event's name."""
        return {name: listeners for name, listeners in self._listeners.items() if listeners}

    def listened_to_by(self, listeners: Mapping[str, tuple[Listener, ...]]) -> None:
        """Have these called, and nobody else."""
        for name in {*self._listeners, *listeners}:
            self._listen(name, listeners.get(name, ()))

    def _listen(self, name: str, listeners: tuple[Listener, ...]) -> None:
        self._listeners[name] = listeners
        for made in self.__dict__.values():
            if isinstance(made, Fanout) and made.event.name == name:
                made.listeners = listeners

    def _say(self, name: str, values: Values, time_ns: int | None, level: int = 0) -> None:
        """Report an event on the current span."""
        fan: Fanout = getattr(self, f"_on_{name}")
        span: Span | None = None
        if fan.event.span:
            span = trace.get_current_span()
            if not span.is_recording():
                span = None
        fan(values, time_ns or self.clock(), span, None, level)

    def _failed(self, name: str, error: BaseException) -> None:
        """An event could not be reported; the bot goes on."""
        self.failures[name] = self.failures.get(name, 0) + 1
        self._complaints.say(f"trading.{name}() could not be reported: {type(error).__name__}: {error}")

    def _amount(self, event: str, field: str, value: Any) -> Amount | None:  # noqa: ANN401 - what the bot has
        """A number from whatever says it: venues send texts; what is none is left out, which is said once."""
        if value is None:
            return None
        number: Any = value
        try:
            if value.__class__ not in NUMBERS:
                number = Decimal(value) if isinstance(value, str) else float(value)
            if number - number == 0:
                return cast("Amount", number)
        except (InvalidOperation, TypeError, ValueError, OverflowError):
            pass
        self._complaints.say(f"trading.{event}({field}={_shown(value)}): a finite number is needed; it is left out")
        return None


class Words:
    """What the bot says for a field, as the one word that metrics and dashboards know."""

    def __init__(self, enum: type[FixEnum]) -> None:
        self._enum = enum
        self._known: dict[Any, str | None] = {None: None}

    def __call__(self, said: Any) -> str | None:  # noqa: ANN401 - whatever the bot says
        """The word; what no convention knows stays as it is, in lower case."""
        try:
            return self._known[said]
        except (KeyError, TypeError):
            return self._learn(said)

    def _learn(self, said: Any) -> str | None:  # noqa: ANN401
        name = getattr(said, "name", None)  # of an enumeration of the bot's
        member = self._enum.of(said) or (self._enum.of(name) if isinstance(name, str) else None)
        word = member.value if member is not None else str(said if name is None else name).lower()
        if len(self._known) < _WORDS:
            with suppress(TypeError):  # not hashable
                self._known[said] = word
        return word


def text(value: Any) -> str:  # noqa: ANN401 - ids are texts, numbers, UUIDs
    """An id as text; empty when there is none."""
    if value.__class__ is str:
        return value
    return "" if value is None else str(value)


def kind_of(error: BaseException | str | None) -> str | None:
    """What ``error.type`` says of an error."""
    return error if error is None or isinstance(error, str) else type(error).__name__


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."  # noqa: PLR2004 - a line
