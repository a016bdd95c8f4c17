"""The native ways out: OTLP requests that are encoded without the GIL, and the page for scrapers."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, Literal

from otel_trading.export.feeder import after
from otel_trading.export.lanes import LOW_METRICS
from otel_trading.metrics.native.aggregation import Aggregation
from otel_trading.metrics.pusher import Pusher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_trading import _native
    from otel_trading.export.feeder import Taker
    from otel_trading.export.ledger import Lane, Ledger
    from otel_trading.metrics.native.provider import NativeMeterProvider
    from otel_trading.metrics.native.reader import NativeReader
    from otel_trading.metrics.native.recorder import MeasurementRecorder

    Also = Callable[[_native.Snapshot], None]
    """What adds to a collection before it is encoded."""

_HISTOGRAMS = {
    "base2_exponential_bucket_histogram": Aggregation("exponential"),
    "explicit_bucket_histogram": Aggregation("explicit", by_unit=True),
}


def _collected(reader: NativeReader, also: Sequence[Also]) -> _native.Snapshot:
    snapshot = reader.collect()
    for add in also:
        add(snapshot)
    return snapshot


class NativePush(Pusher):
    """Pushes encoded OTLP requests, none of them larger than receivers accept."""

    def __init__(
        self,
        provider: NativeMeterProvider,
        taker: Taker,
        ledger: Ledger,
        *,
        interval: float,
        temporality: Literal["cumulative", "delta", "lowmemory"] = "cumulative",
        histogram: str = "base2_exponential_bucket_histogram",
        also: Sequence[Also] = (),
        recorder: MeasurementRecorder | None = None,
    ) -> None:
        self._also = also
        self._provider = provider
        self._recorder = recorder
        if recorder is not None:
            recorder.owner = self
        self._mark = 0
        self._safe = -1
        self._reader: NativeReader | None = provider.take_reader(
            temporality=temporality, histogram=_HISTOGRAMS[histogram]
        )
        self._last: list[tuple[bytes, int, Lane]] = []
        self._turn = threading.Lock()
        super().__init__(taker, ledger, interval=interval)

    def settle(self) -> None:
        """Collect for the last time, now: what is measured from here on is the next reader's."""
        with self._turn:
            if self._reader is not None:
                self._last = self._collected()
                self._provider.give_back(self._reader)
                self._reader = None

    def request_close(self, deadline: float) -> None:
        """See ``Pusher``."""
        self.settle()
        super().request_close(deadline)

    def restart_in_child(self) -> None:
        """See ``Pusher``."""
        self._turn = threading.Lock()
        if self._recorder is not None:
            self._recorder.describe()
        super().restart_in_child()

    def wait_closed(self) -> bool:
        """See ``Pusher``; when all is safe there is nothing to recover, and the recording goes."""
        closed = super().wait_closed()
        if self._recorder is not None:
            self._recorder.finish(self, delivered=closed and self._safe == self._mark)
        return closed

    def _settled(self, recorder: MeasurementRecorder, mark: int) -> None:
        self._safe = mark
        recorder.settled(mark)

    def _push(self) -> None:
        with self._turn:
            requests, self._last = self._collected() or self._last, []
            mark = self._mark
        safe = None if self._recorder is None else after(len(requests), partial(self._settled, self._recorder, mark))
        for request, points, lane in requests:
            self._deliver(points, request, lane, safe)

    def _collected(self) -> list[tuple[bytes, int, Lane]]:
        if self._reader is None:
            return []
        if self._recorder is not None:
            self._mark = self._recorder.mark()
        snapshot, resource = _collected(self._reader, self._also), self._provider.resource
        return [
            *((*request, "important") for request in snapshot.otlp(resource, without=LOW_METRICS)),
            *((*request, "low") for request in snapshot.otlp(resource, only=LOW_METRICS)),
        ]


class NativePage:
    """``/metrics``: text, OpenMetrics or protobuf, whatever the scraper prefers.

    Histograms have explicit buckets, and where the format allows it the native ones beside them.
    """

    def __init__(self, provider: NativeMeterProvider, also: Sequence[Also] = ()) -> None:
        self._also = also
        self._provider = provider
        self._reader = provider.take_reader(
            histogram=Aggregation("explicit", by_unit=True),
            beside=Aggregation("exponential"),
            keep_exemplars=True,
        )

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The page and its content type, by the scraper's ``Accept`` header."""
        return _collected(self._reader, self._also).expose(self._provider.resource, accept)

    def dump(self) -> bytes:
        """All metrics as JSON."""
        return _collected(self._reader, self._also).json(self._provider.resource)

    def close(self) -> None:
        """Leave the reader to the next page."""
        self._provider.give_back(self._reader)
