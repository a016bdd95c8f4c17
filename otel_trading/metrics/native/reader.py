"""Readers: what asks for all points of a provider."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from otel_trading.metrics.native.aggregation import (
    DEFAULT,
    Aggregation,
    Preference,
    Temporality,
    temporality,
)
from otel_trading.metrics.native.identity import HISTOGRAMS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading import _native
    from otel_trading.metrics.native.callbacks import Value
    from otel_trading.metrics.native.identity import Identity, Kind
    from otel_trading.metrics.native.observer import Observer
    from otel_trading.metrics.native.streams import Streams


class Collection:
    """Collects for one reader: asks the callbacks, then the core. One collection at a time."""

    core: _native.Reader

    def __init__(self, streams: Streams, observer: Observer, *, keep_exemplars: bool = False) -> None:
        self._streams = streams
        self._observer = observer
        self._keep_exemplars = keep_exemplars
        self.restart_in_child()

    def restart_in_child(self) -> None:
        """Begin with nothing collected: a collection whose thread the child does not have never ends."""
        self.core = self._streams.registry.reader(self._keep_exemplars)
        self._turn = threading.Lock()

    def collect(self, timeout: float, time_ns: int | None = None) -> _native.Snapshot:
        """All points; raises ``TimeoutError`` when another collection of this reader lasts ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        if not self._turn.acquire(timeout=max(0.0, timeout)):
            raise TimeoutError(f"another collection of this reader takes more than {timeout:g} s")
        try:
            values = self._observer.observe(self._streams.observables, id(self), deadline - time.monotonic())
            merged: dict[_native.Observable, list[Value]] = {}
            for instrument, observed in values:
                merged.setdefault(instrument.native, []).extend(observed)
            return self.core.collect(list(merged.items()), time_ns)
        finally:
            self._turn.release()


class NativeReader:
    """A reader for the native ways out: ``collect`` gives a snapshot that encodes itself.

    ``temporality`` is a preference as the OTLP exporter knows it; ``histogram`` is the form of histograms where no
    view decides, ``beside`` a second one of the same values, ``aggregations`` those of other kinds of instruments.
    ``keep_exemplars`` gives the latest exemplars with every collection, not only those since the last one.
    """

    def __init__(
        self,
        *,
        temporality: Preference = "cumulative",
        histogram: Aggregation = DEFAULT,
        aggregations: Mapping[Kind, Aggregation] | None = None,
        beside: Aggregation | None = None,
        keep_exemplars: bool = False,
    ) -> None:
        self.preferences = (temporality, histogram, tuple((aggregations or {}).items()), beside, keep_exemplars)
        self.keep_exemplars = keep_exemplars
        self._beside = beside
        self._preference: Preference = temporality
        self._aggregations: Mapping[Kind, Aggregation] = {
            **dict.fromkeys(HISTOGRAMS, histogram),
            **(aggregations or {}),
        }
        self._collection: Collection | None = None

    def wants(self, instrument: Identity) -> tuple[Aggregation, Temporality]:
        """See ``Subscriber``."""
        return self._aggregations.get(instrument.kind, DEFAULT), temporality(self._preference, instrument.kind)

    def beside(self, instrument: Identity) -> Aggregation | None:
        """See ``Subscriber``."""
        return self._beside if instrument.kind in HISTOGRAMS else None

    def attach(self, collection: Collection) -> None:
        """Take the way to the points; called by the provider."""
        self._collection = collection

    def restart_in_child(self) -> None:
        """See ``Subscriber``; there is nothing to forget."""

    def detach(self) -> None:
        """Have nothing to read from any more."""
        self._collection = None

    @property
    def attached(self) -> bool:
        """Whether a provider is read."""
        return self._collection is not None

    def collect(self, timeout: float = 10.0, time_ns: int | None = None) -> _native.Snapshot:
        """All points at this moment, waiting at most ``timeout`` seconds for callbacks.

        ``time_ns`` is the moment in Unix nanoseconds where the clock is not to be asked. Raises ``RuntimeError`` when
        no provider has this reader, ``TimeoutError`` when another collection of this reader does not end in time.
        """
        if self._collection is None:
            raise RuntimeError("this reader belongs to no provider")
        return self._collection.collect(timeout, time_ns)
