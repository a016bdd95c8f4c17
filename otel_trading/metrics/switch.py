"""A ``MeterProvider`` that stays while what stands behind it is exchanged.

OpenTelemetry's global provider can be set only once, and libraries keep the instruments they created. These
stand-ins are what they keep; ``use`` creates the real instruments anew on another provider. Their calls never
raise: a value that is no number is counted as ``invalid_value``, one below zero where none may be as
``negative_value``.

The native provider needs no stand-ins: it outlives every reconfiguration itself, so its instruments are handed out
as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry import metrics as api

from otel_trading import forks, redaction
from otel_trading.metrics import guard
from otel_trading.metrics.isolated import Callbacks
from otel_trading.metrics.native.provider import NativeMeterProvider
from otel_trading.metrics.stopwatch import Stopwatch, per_second
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackT
    from opentelemetry.util.types import Attributes

    from otel_trading.export.ledger import Ledger

_Real = TypeVar("_Real", bound=api.Instrument)


class SwitchMeterProvider(api.MeterProvider):
    """Hands out meters that survive ``use``."""

    def __init__(self, real: api.MeterProvider, ledger: Ledger) -> None:
        self._lock = forks.lock()
        self._real = real
        self._ledger = ledger
        self._meters: dict[tuple[Any, ...], SwitchMeter] = {}
        self._enabled = True
        self._callbacks = Callbacks(self._lose)

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes | None = None,
    ) -> api.Meter:
        """A meter by name, version, schema and attributes; the same one for the same scope."""
        key = (name, version, schema_url, tuple(sorted((attributes or {}).items())))
        with self._lock:
            if self._native() is not None:
                return self._real.get_meter(name, version, schema_url, attributes)
            if key not in self._meters:
                real = self._real.get_meter(name, version, schema_url, attributes)
                self._meters[key] = SwitchMeter(
                    name, version, schema_url, attributes, real, self._ledger, self._callbacks
                )
            return self._meters[key]

    @property
    def enabled(self) -> bool:
        """Whether measurements are taken; may be switched at any time, off means that calls return at once."""
        native = self._native()
        return self._enabled if native is None else bool(native.enabled)

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        with self._lock:
            self._enabled = enabled
            native = self._native()
            if native is not None:
                native.enabled = enabled
            for meter in self._meters.values():
                meter.enable(enabled)

    def restart_in_child(self) -> None:
        """Ask callbacks in threads of a forked child's own."""
        self._callbacks.restart_in_child()

    def _lose(self, reason: str) -> None:
        self._ledger.emitted()
        self._ledger.dropped(reason)

    def _native(self) -> NativeMeterProvider | None:
        return self._real if isinstance(self._real, NativeMeterProvider) else None

    def use(self, real: api.MeterProvider, ledger: Ledger) -> None:
        """Put another provider behind every meter and instrument handed out so far."""
        with self._lock:
            self._enabled = True
            self._real, self._ledger = real, ledger
            for meter in self._meters.values():
                meter.switch(real, ledger)


class _Instrument(Generic[_Real]):
    """One stand-in: how to create the real instrument, and the call of the one in use."""

    verb = ""
    refuses_negative = False

    def __init__(
        self, create: Callable[[api.Meter], _Real], meter: api.Meter, ledger: Ledger, name: str, unit: str
    ) -> None:
        self.name = name
        self.unit = unit
        self._create = create
        self._useless = False
        self.switch(meter, ledger)

    def switch(self, meter: api.Meter, ledger: Ledger) -> None:
        self._off = False
        self._ledger = ledger
        try:
            real = self._create(meter)
        except Exception as error:  # a bad name costs this instrument, not the bot
            if not self._useless:
                report(f"instrument {self.name!r} records nothing: {error}")
            self._useless = True
            real = self._create(api.NoOpMeter("otel_trading"))
        self._call: Callable[..., None] = getattr(real, self.verb) if self.verb else _nothing

    def enable(self, enabled: bool) -> None:
        """Take measurements, or nothing."""
        self._off = not enabled

    def _report(self, amount: object, attributes: Attributes, context: Context | None) -> None:
        if self._off:
            return
        value = guard.number(amount)
        if value is None:
            self._lose("invalid_value")
            return
        if self.refuses_negative and value < 0:
            self._lose("negative_value")
            return
        try:
            self._call(value, redaction.attributes(attributes), context)
        except Exception:  # a measurement never raises into the bot
            self._lose("invalid_attributes")

    def _lose(self, reason: str) -> None:
        self._ledger.emitted()
        self._ledger.dropped(reason)


def _nothing(*_: object) -> None:
    """What an observable instrument does when it is called: its callbacks are."""


class _Bound:
    """A stand-in's series: its attributes, kept."""

    def __init__(self, instrument: _Synchronous[Any], attributes: Attributes) -> None:
        self._instrument = instrument
        self._attributes = dict(attributes) if isinstance(attributes, Mapping) else attributes

    def _measure(self, amount: object, /) -> None:
        self._instrument._report(amount, self._attributes, None)  # noqa: SLF001 - its own other half

    add = set = record = _measure

    def time(self) -> Stopwatch:
        """Start a measurement of time."""
        return self._instrument.stopwatch(self._attributes)


class _Synchronous(_Instrument[_Real]):
    def bind(self, attributes: Attributes | None = None) -> _Bound:
        """A handle to the series of these attributes."""
        return _Bound(self, attributes)

    def remove(self, attributes: Attributes | None = None) -> bool:
        """False: the SDK keeps every series for ever."""
        return False

    def stopwatch(self, attributes: Attributes) -> Stopwatch:
        """A measurement of time, in the instrument's unit."""
        scale = per_second(self.unit)
        return Stopwatch(lambda seconds: self._report(seconds * scale, attributes, None))


class _Counter(_Synchronous[api.Counter], api.Counter):
    verb = "add"
    refuses_negative = True

    def add(self, amount: float, attributes: Attributes | None = None, context: Context | None = None) -> None:
        self._report(amount, attributes, context)


class _UpDownCounter(_Synchronous[api.UpDownCounter], api.UpDownCounter):
    verb = "add"

    def add(self, amount: float, attributes: Attributes | None = None, context: Context | None = None) -> None:
        self._report(amount, attributes, context)


class _Histogram(_Synchronous[api.Histogram], api.Histogram):
    verb = "record"
    refuses_negative = True

    def record(self, amount: float, attributes: Attributes | None = None, context: Context | None = None) -> None:
        self._report(amount, attributes, context)

    def time(self, attributes: Attributes | None = None) -> Stopwatch:
        """Start a measurement of time."""
        return self.stopwatch(attributes)


class _Gauge(_Synchronous[api._Gauge], api._Gauge):  # noqa: SLF001 - the API has no public name for it yet
    verb = "set"

    def set(self, amount: float, attributes: Attributes | None = None, context: Context | None = None) -> None:
        self._report(amount, attributes, context)


class _ObservableCounter(_Instrument[api.ObservableCounter], api.ObservableCounter):
    """Its callbacks are the bot's; only the registration is renewed."""


class _ObservableUpDownCounter(_Instrument[api.ObservableUpDownCounter], api.ObservableUpDownCounter):
    """Its callbacks are the bot's; only the registration is renewed."""


class _ObservableGauge(_Instrument[api.ObservableGauge], api.ObservableGauge):
    """Its callbacks are the bot's; only the registration is renewed."""


class SwitchMeter(api.Meter):
    """Creates stand-ins and keeps them, so that they can be switched."""

    def __init__(
        self,
        name: str,
        version: str | None,
        schema_url: str | None,
        attributes: Attributes | None,
        real: api.Meter,
        ledger: Ledger,
        callbacks: Callbacks,
    ) -> None:
        super().__init__(name, version, schema_url)
        self._callbacks = callbacks
        self._scope = (name, version, schema_url, attributes)
        self._meter = real
        self._ledger = ledger
        self._lock = forks.lock()
        self._instruments: dict[tuple[type, str, str, str], Any] = {}

    def enable(self, enabled: bool) -> None:
        """Let all instruments take measurements, or nothing."""
        with self._lock:
            for instrument in self._instruments.values():
                instrument.enable(enabled)

    def switch(self, provider: api.MeterProvider, ledger: Ledger) -> None:
        """Create every instrument anew on another provider."""
        with self._lock:
            self._meter, self._ledger = provider.get_meter(*self._scope), ledger
            for instrument in self._instruments.values():
                instrument.switch(self._meter, ledger)

    def _stand_in(self, kind: type, create: Callable[[api.Meter], Any], name: str, unit: str, text: str) -> Any:  # noqa: ANN401 - of the kind asked for
        """The stand-in of this kind, name, unit and description; asking twice gives the same one."""
        key = (kind, str(name).lower(), unit, text)
        with self._lock:
            if key not in self._instruments:
                self._instruments[key] = kind(create, self._meter, self._ledger, name, unit)
            return self._instruments[key]

    def create_counter(self, name: str, unit: str = "", description: str = "") -> api.Counter:
        """See ``opentelemetry.metrics.Meter``."""
        return self._stand_in(_Counter, lambda m: m.create_counter(name, unit, description), name, unit, description)  # type: ignore[no-any-return]

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> api.UpDownCounter:
        """See ``opentelemetry.metrics.Meter``."""
        return self._stand_in(  # type: ignore[no-any-return]
            _UpDownCounter, lambda m: m.create_up_down_counter(name, unit, description), name, unit, description
        )

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> api.Histogram:
        """See ``opentelemetry.metrics.Meter``."""

        def create(meter: api.Meter) -> api.Histogram:
            return meter.create_histogram(
                name, unit, description, explicit_bucket_boundaries_advisory=explicit_bucket_boundaries_advisory
            )

        return self._stand_in(_Histogram, create, name, unit, description)  # type: ignore[no-any-return]

    def create_signed_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> api.Histogram:
        """A histogram of positive values: the SDK takes no others, they are counted as ``negative_value``."""
        return self.create_histogram(
            name, unit, description, explicit_bucket_boundaries_advisory=explicit_bucket_boundaries_advisory
        )

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> api._Gauge:
        """See ``opentelemetry.metrics.Meter``."""
        return self._stand_in(_Gauge, lambda m: m.create_gauge(name, unit, description), name, unit, description)  # type: ignore[no-any-return]

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableCounter:
        """See ``opentelemetry.metrics.Meter``."""
        for_meter = self._callbacks.of(name, callbacks)
        return self._observable(  # type: ignore[no-any-return]
            _ObservableCounter, lambda m: m.create_observable_counter(name, for_meter(m), unit, description), name
        )

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableUpDownCounter:
        """See ``opentelemetry.metrics.Meter``."""
        for_meter = self._callbacks.of(name, callbacks)
        return self._observable(  # type: ignore[no-any-return]
            _ObservableUpDownCounter,
            lambda m: m.create_observable_up_down_counter(name, for_meter(m), unit, description),
            name,
        )

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableGauge:
        """See ``opentelemetry.metrics.Meter``."""
        for_meter = self._callbacks.of(name, callbacks)
        return self._observable(  # type: ignore[no-any-return]
            _ObservableGauge, lambda m: m.create_observable_gauge(name, for_meter(m), unit, description), name
        )

    def _observable(self, kind: type, create: Callable[[api.Meter], Any], name: str) -> Any:  # noqa: ANN401
        """Every registration counts: two with the same name have callbacks of their own."""
        return self._stand_in(kind, create, name, "", f"{len(self._instruments)}")
