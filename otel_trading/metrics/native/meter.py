"""The meter: makes instruments and hands out the same one for the same identity."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import metrics as api

from otel_trading.metrics.native.aggregation import advised_bounds
from otel_trading.metrics.native.callbacks import Callback
from otel_trading.metrics.native.identity import Identity, Kind, Scope
from otel_trading.metrics.native.instruments import Observable, fault

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from opentelemetry.metrics import CallbackT

    from otel_trading import _native
    from otel_trading.metrics.native.streams import Entry, Streams
    from otel_trading.settings.complaints import Complaints


class NativeMeter(api.Meter):
    """Makes native instruments. Nothing raises: what has no usable name is reported and records nothing.

    An instrument is identified by kind, name (regardless of case), unit and description. Asked for twice it is the
    same object; callbacks given the second time are asked, too.
    """

    def __init__(self, scope: Scope, number: int, streams: Streams, complaints: Complaints, *, enabled: bool) -> None:
        super().__init__(scope.name, scope.version, scope.schema_url)
        self.scope = scope
        self._number = number
        self._streams = streams
        self._complaints = complaints
        self._enabled = enabled
        self._entries: dict[Identity, Entry] = {}
        self._uses: dict[str, tuple[Kind, str]] = {}
        self.restart_in_child()

    def restart_in_child(self) -> None:
        """Forget who held the lock."""
        self._lock = threading.RLock()

    def enable(self, enabled: bool) -> None:
        """Switch all instruments of the meter."""
        with self._lock:
            self._enabled = enabled
            for entry in self._entries.values():
                self._streams.enable(entry, enabled)

    def create_counter(self, name: str, unit: str = "", description: str = "") -> _native.Counter:  # type: ignore[override]  # a virtual subclass
        """See ``opentelemetry.metrics.Meter``."""
        return self._made("counter", name, unit, description)  # type: ignore[no-any-return]

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> _native.UpDownCounter:  # type: ignore[override]  # a virtual subclass
        """See ``opentelemetry.metrics.Meter``."""
        return self._made("up_down_counter", name, unit, description)  # type: ignore[no-any-return]

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> _native.Gauge:  # type: ignore[override]  # a virtual subclass
        """See ``opentelemetry.metrics.Meter``."""
        return self._made("gauge", name, unit, description)  # type: ignore[no-any-return]

    def create_histogram(  # type: ignore[override]  # a virtual subclass
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> _native.Histogram:
        """See ``opentelemetry.metrics.Meter``."""
        return self._made("histogram", name, unit, description, explicit_bucket_boundaries_advisory)  # type: ignore[no-any-return]

    def create_signed_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> _native.Histogram:
        """A histogram that takes negative values, too: slippage, the profit of a trade."""
        return self._made("signed_histogram", name, unit, description, explicit_bucket_boundaries_advisory)  # type: ignore[no-any-return]

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableCounter:
        """See ``opentelemetry.metrics.Meter``."""
        return self._observing("observable_counter", name, callbacks, unit, description)  # type: ignore[no-any-return]

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableUpDownCounter:
        """See ``opentelemetry.metrics.Meter``."""
        return self._observing("observable_up_down_counter", name, callbacks, unit, description)  # type: ignore[no-any-return]

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> api.ObservableGauge:
        """See ``opentelemetry.metrics.Meter``."""
        return self._observing("observable_gauge", name, callbacks, unit, description)  # type: ignore[no-any-return]

    def _observing(self, kind: Kind, name: object, callbacks: object, unit: object, description: object) -> Any:  # noqa: ANN401 - the observable of this kind
        made: Observable = self._made(kind, name, unit, description)
        if fault(name, unit) is None:
            self._streams.add_callbacks(made, self._callbacks(name, callbacks))
        return made

    def _callbacks(self, name: object, given: object) -> list[Callback]:
        usable: list[Callback] = []
        try:
            usable.extend(Callback(f"{name}", call) for call in cast("Iterable[object]", given or ()))
        except Exception as error:  # not a sequence, or a generator that fails before its first yield
            self._complaints.say(f"a callback of {name!r} is not usable: {type(error).__name__}: {error}")
        return usable

    def _made(self, kind: Kind, name: object, unit: object, description: object, advisory: object = None) -> Any:  # noqa: ANN401 - the instrument of this kind
        problem = fault(name, unit)
        if problem is not None:
            self._complaints.say(f"instrument {name!r} with unit {unit!r} records nothing: {problem}")
            return self._streams.silent(Identity(self.scope, kind, "nothing"), self._number).handle
        text = "" if description is None else str(description)
        return self._entry(Identity(self.scope, kind, f"{name}".lower(), f"{unit or ''}", text), name, advisory).handle

    def _entry(self, identity: Identity, name: object, advisory: object) -> Entry:
        try:
            advised = advised_bounds(advisory)
        except ValueError as error:
            self._complaints.say(f"the advice for {name!r} is not used: {error}")
            advised = None
        with self._lock:
            entry = self._entries.get(identity)
            if entry is None:
                self._tell_conflict(identity, name)
                entry = self._streams.add(
                    Identity(
                        identity.scope, identity.kind, identity.name, identity.unit, identity.description, advised
                    ),
                    self._number,
                    enabled=self._enabled,
                )
                self._entries[identity] = entry
            elif entry.identity.advised != advised:
                self._complaints.say(f"{name!r} exists with other boundaries, {entry.identity.advised}, which hold")
            return entry

    def _tell_conflict(self, identity: Identity, name: object) -> None:
        """Say that dashboards will see two things under one name."""
        use = (identity.kind, identity.unit)
        first = self._uses.setdefault(identity.name, use)
        if first != use:
            self._complaints.say(
                f"{name!r} of {self.scope.name!r} is both a {first[0]} in {first[1]!r} and a {use[0]} in {use[1]!r}"
            )
