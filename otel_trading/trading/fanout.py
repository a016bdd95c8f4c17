"""From an event to its metrics, its log line, its span event and whoever listens."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any, Protocol

from otel_trading import _native
from otel_trading.trading.bound import bound
from otel_trading.trading.conventions import INSTRUMENTS, KEYS, create

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.trace import Span, SpanContext

    from otel_trading.metrics.instruments import Meter
    from otel_trading.trading.events import Event, Measure

Values = tuple[Any, ...]

if TYPE_CHECKING:
    Listener = Callable[[Event, Values, int], None]
_LAST_OF_WHAT = "trading.pair.id"
"""The last of the fields that an order's span has itself."""
_SYMBOL = "trading.instrument.symbol"
_OTHER = "__other__"
"""What metrics say of symbols that are not told apart."""

_SERIES = 10_000
"""Series of one event that are found at once; the rest are looked up by the instrument."""
_BY_KEY = {key: attribute.name for key, attribute in KEYS.items()}


class Lines(Protocol):
    """Where log lines go."""

    def write(
        self,
        severity: int,
        message: str,
        event: str = "",
        service: str = "",
        data: Mapping[str, object] | None = None,
        tags: Sequence[str] = (),
        *,
        time_ns: int | None = None,
        context: SpanContext | None = None,
    ) -> None:
        """Write one."""


class Fanout:
    """Turns the values of one kind of event, in the order of its fields, into all that it is declared to become."""

    __slots__ = (
        "_bound",
        "_component",
        "_labels",
        "_level",
        "_lines",
        "_measures",
        "_noted",
        "_on_venue",
        "_own",
        "_venue",
        "data",
        "event",
        "listeners",
    )

    def __init__(self, event: Event, meter: Meter, lines: Lines, symbols: frozenset[str] = frozenset()) -> None:
        self.event = event
        self.listeners: tuple[Listener, ...] = ()
        self._lines = lines
        names = tuple(_BY_KEY[key] for key in event.fields)
        self.data = _native.Fields(names).data
        """The values by the names of their attributes, without those that are not known."""
        own = names.index(_LAST_OF_WHAT) + 1 if event.span == "order" else 0
        self._noted = _native.Fields(names[own:]).data if own else None
        self._own = own
        self._measures = [_Prepared(measure, event, meter, symbols) for measure in event.measures]
        positions = sorted({place for measure in self._measures for place in measure.uses})
        self._labels = _getter(positions)
        self._bound: dict[Any, tuple[tuple[tuple[Any, Any], ...], tuple[tuple[Any, int], ...]]] = {}
        self._on_venue = "{venue}" in event.component
        self._venue = event.fields.index("venue") if self._on_venue else 0
        self._component = event.component
        self._level = int(event.level)

    def __call__(
        self,
        values: Values,
        time_ns: int,
        span: Span | None = None,
        context: SpanContext | None = None,
        level: int = 0,
    ) -> None:
        """Report that it happened; a value of ``None`` is one that is not known."""
        key = self._labels(values)
        bound = self._bound.get(key)
        if bound is None:
            bound = self._bind(key, values)
        for record, amount in bound[0]:
            record(amount)
        for record, place in bound[1]:
            amount = values[place]
            if amount is not None:
                record(amount)
        event = self.event
        if span is not None or event.logged:
            data = self.data(values)
            if span is not None:
                noted = data if self._noted is None else self._noted(values[self._own :])
                span.add_event(event.name, noted, time_ns)
            if event.logged:
                component = self._component.format(venue=values[self._venue]) if self._on_venue else self._component
                self._lines.write(
                    level or self._level,
                    event.message,
                    event.name,
                    component,
                    data,
                    event.tags,
                    time_ns=time_ns,
                    context=context,
                )
        for listener in self.listeners:
            listener(event, values, time_ns)

    def _bind(self, key: Any, values: Values) -> Any:  # noqa: ANN401 - calls
        """The calls that record into the series of these values: with fixed amounts, with fields'."""
        fixed, fields = [], []
        for measure in self._measures:
            if not measure.wanted(values):
                continue
            record = measure.record(values)
            if measure.place < 0:
                fixed.append((record, measure.amount))
            else:
                fields.append((record, measure.place))
        bound = tuple(fixed), tuple(fields)
        if len(self._bound) < _SERIES:
            self._bound[key] = bound
        return bound


class _Prepared:
    """A measure with its instrument, and where its values stand."""

    def __init__(self, measure: Measure, event: Event, meter: Meter, symbols: frozenset[str]) -> None:
        declared = INSTRUMENTS[measure.instrument]
        self._instrument = create(meter, declared.name)
        self._verb = {"counter": "add", "up_down_counter": "add", "gauge": "set"}.get(declared.kind, "record")
        self._signed = declared.kind == "signed_histogram"
        """Another engine's histogram takes no negative values: the sign is in an attribute, or in another metric."""
        self._given = dict(measure.given)
        self._symbols = symbols
        places = (*event.fields, *event.amounts)
        names = [_BY_KEY[key] for key in event.fields]
        for key, attribute in measure.renamed:
            names[event.fields.index(key)] = attribute
        self._attributes = [
            (name, names.index(name))
            for name in (*declared.attributes, *declared.optional)
            if name in names and name not in self._given
        ]
        self._where = [(event.fields.index(key), value) for key, value in measure.where]
        self.amount = measure.value if not isinstance(measure.value, str) else 0
        self.place = places.index(measure.value) if isinstance(measure.value, str) else -1

    @property
    def uses(self) -> set[int]:
        """The places of the values that the series follows from."""
        return {place for _, place in self._attributes} | {place for place, _ in self._where}

    def wanted(self, values: Values) -> bool:
        """Whether it counts."""
        return all(values[place] == value for place, value in self._where)

    def record(self, values: Values) -> Callable[[Any], None]:
        """The call that records into the series of these values."""
        attributes = {name: values[place] for name, place in self._attributes if values[place] is not None}
        if self._symbols and attributes.get(_SYMBOL, _OTHER) not in self._symbols:
            attributes[_SYMBOL] = _OTHER
        call = bound(self._instrument, self._verb, {**attributes, **self._given})
        if self._signed and not isinstance(self._instrument, _native.Histogram):
            return lambda value: call(abs(value))
        return call


def _getter(places: list[int]) -> Callable[[Values], Any]:
    if not places:
        return lambda _: ()
    return itemgetter(*places)
