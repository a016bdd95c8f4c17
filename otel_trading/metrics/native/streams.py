"""Which series exist, and which reader gets which of them in which form."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from otel_trading import _native
from otel_trading.metrics.native.aggregation import Aggregation, Cell, Temporality, default_form
from otel_trading.metrics.native.instruments import OBSERVABLES, Observable
from otel_trading.metrics.native.rules import Stream, View, streams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_trading.metrics.native.callbacks import Callback
    from otel_trading.metrics.native.identity import Identity
    from otel_trading.metrics.native.reader import Collection

    Core = _native.Counter | _native.UpDownCounter | _native.Gauge | _native.Histogram | _native.Observable


class Subscriber(Protocol):
    """A reader as the streams see it."""

    def wants(self, instrument: Identity) -> tuple[Aggregation, Temporality]:
        """The form and temporality of an instrument's points where no view decides."""
        ...

    def beside(self, instrument: Identity) -> Aggregation | None:
        """A second form of the same series."""

    def restart_in_child(self) -> None:
        """Forget what threads of the parent were doing."""


_FINEST = 20
"""The finest scale of exponential buckets."""


@dataclass(slots=True, eq=False)
class Entry:
    """An instrument with the streams that views make of it."""

    identity: Identity
    core: Core
    handle: object
    """What the bot holds: the core's instrument itself, or an ``Observable``."""
    streams: Sequence[Stream] = ()
    made: dict[tuple[int, Cell], int] = field(default_factory=dict)
    """The core's streams by the place in ``streams`` and what their series hold."""
    enabled: bool = True


class Streams:
    """All instruments of a provider, and the readers that are subscribed to them.

    A stream's series begin when its instrument is made and outlive the readers: exchanging these loses nothing.
    """

    def __init__(
        self, registry: _native.Registry, views: Sequence[View], *, cardinality_limit: int, histogram_size: int
    ) -> None:
        self.registry = registry
        self.observables: Sequence[Observable] = ()
        """Those with somebody to ask for; exchanged as a whole, so that a collection may walk it without a lock."""
        self._views = views
        self._limit = cardinality_limit
        self._size = histogram_size
        self._entries: list[Entry] = []
        self._readers: list[tuple[Subscriber, Collection]] = []
        self._had_reader = False
        self._lock = threading.RLock()

    def restart_in_child(self) -> None:
        """Forget who held the lock, the callbacks' threads, and what was collected."""
        self._lock = threading.RLock()
        for observable in self.observables:
            for callback in observable.callbacks:
                callback.restart_in_child()
        for reader, collection in self._readers:
            reader.restart_in_child()
            collection.restart_in_child()
        for entry in self._entries:
            self._connect(entry, self._readers)

    def add(self, identity: Identity, scope: int, *, enabled: bool) -> Entry:
        """Make an instrument, its series and the subscriptions of all readers."""
        entry = self.silent(identity, scope)
        entry.streams = streams(self._views, identity)
        entry.enabled = enabled
        with self._lock:
            self._entries.append(entry)
            self._connect(entry, self._readers)
        return entry

    def silent(self, identity: Identity, scope: int) -> Entry:
        """An instrument without series: it records nothing."""
        core = self.registry.instrument(identity.kind, scope, identity.name, identity.unit)
        return Entry(identity, core, OBSERVABLES[identity.kind](identity, core) if identity.observable else core)

    def enable(self, entry: Entry, enabled: bool) -> None:
        """Switch an instrument; one that is off has no series and begins anew when it is on again."""
        with self._lock:
            if entry.enabled == enabled:
                return
            entry.enabled = enabled
            for stream in entry.made.values():
                self.registry.drop_stream(stream)
            entry.made.clear()
            self._connect(entry, self._readers)
            self._list_observables()

    def refine(self, size: int) -> None:
        """Keep series that are made from now on in up to ``size`` exponential buckets."""
        with self._lock:
            self._size = size
            for entry in self._entries:
                if isinstance(entry.core, _native.Histogram):
                    _native.refine(entry.core, size, _FINEST)

    def add_reader(self, reader: Subscriber, collection: Collection) -> None:
        """Subscribe a reader to what there is and what comes.

        The first one gets all that was measured; later ones get deltas from now on, others have sent what was before.
        """
        with self._lock:
            self._readers = [*self._readers, (reader, collection)]
            for entry in self._entries:
                self._connect(entry, [(reader, collection)])
            if self._had_reader and self._entries:
                collection.core.collect()
            self._had_reader = True

    def remove_reader(self, collection: Collection) -> None:
        """Unsubscribe a reader; the series stay."""
        with self._lock:
            self._readers = [other for other in self._readers if other[1] is not collection]
        collection.core.close()

    def add_callbacks(self, observable: Observable, callbacks: Sequence[Callback]) -> None:
        """Ask these, too; one that is asked already is left out."""
        with self._lock:
            known = [callback.call for callback in observable.callbacks]
            fresh = [callback for callback in callbacks if callback.call not in known]
            observable.callbacks = [*observable.callbacks, *fresh]
            self._list_observables()

    def asked(self) -> dict[Observable, Sequence[Callback]]:
        """Who is asked for which instrument, for ``ask_only``."""
        return {observable: observable.callbacks for observable in self.observables}

    def ask_only(self, asked: Mapping[Observable, Sequence[Callback]]) -> None:
        """Forget the callbacks that came since ``asked``, but for the kit's own: these are the process's."""
        with self._lock:
            for observable in self.observables:
                before = asked.get(observable, ())
                observable.callbacks = [
                    callback
                    for callback in observable.callbacks
                    if callback in before or getattr(callback.call, "__module__", "").startswith("otel_trading.")
                ]
            self._list_observables()

    def _list_observables(self) -> None:
        handles = [entry.handle for entry in self._entries if entry.enabled and entry.made]
        self.observables = [handle for handle in handles if isinstance(handle, Observable) and handle.callbacks]

    def _connect(self, entry: Entry, readers: Sequence[tuple[Subscriber, Collection]]) -> None:
        if not entry.enabled:
            return
        for place, stream in enumerate(entry.streams):
            if not readers:  # the bot may ask its instruments itself
                fallback = Aggregation(default_form(entry.identity.kind))
                self._made(entry, place, fallback if stream.aggregation.form == "default" else stream.aggregation)
            for reader, collection in readers:
                self._subscribe(entry, place, stream, reader, collection.core)

    def _subscribe(self, entry: Entry, place: int, stream: Stream, reader: Subscriber, core: _native.Reader) -> None:
        preferred, temporality = reader.wants(entry.identity)
        chosen = preferred if stream.aggregation.form == "default" else stream.aggregation
        beside = reader.beside(entry.identity) if chosen is preferred else None
        for form in (chosen, beside):
            made = None if form is None else self._made(entry, place, form)
            if form is None or made is None:
                continue
            aggregation = form.resolved(entry.identity)
            core.subscribe(
                made,
                aggregation.form,
                temporality,
                bounds=aggregation.bounds or (),
                max_size=aggregation.max_size,
                max_scale=aggregation.max_scale,
                min_max=aggregation.min_max,
            )

    def _made(self, entry: Entry, place: int, aggregation: Aggregation) -> int | None:
        """The core's stream for a view and an aggregation; ``None`` when all is dropped."""
        cell = aggregation.resolved(entry.identity).cell
        if cell is None:
            return None
        if (place, cell) not in entry.made:
            stream = entry.streams[place]
            entry.made[place, cell] = self.registry.stream(
                entry.core,
                stream.name,
                stream.description,
                cell,
                stream.keys,
                self._limit,
                max_size=max(self._size, aggregation.max_size),
            )
        return entry.made[place, cell]
