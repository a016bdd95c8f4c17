"""Recorded markets: gzip files of ``<local receive time in ns> <raw JSON frame>`` lines, one file per venue."""

from __future__ import annotations

import gzip
import heapq
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.demo.venue.market import STREAMS, Frame, VenueName

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

_ENVELOPE = '{"stream":"'
_BETWEEN_NAME_AND_DATA = '","data":'


class RecordingError(ValueError):
    """A file is not a recording of the expected form."""


class Recording:
    """One venue's recording, read line by line so that memory does not grow with the file.

    Args:
        path: the gzip file.
        venue: the venue whose frames it holds.

    """

    def __init__(self, path: Path | str, venue: VenueName) -> None:
        self.path = Path(path)
        self.venue = venue

    def snapshot(self) -> str:
        """Return the recorded REST depth snapshot.

        Raises:
            RecordingError: the file holds none.

        """
        with gzip.open(self.path, "rt", encoding="utf-8") as lines:
            for line in lines:
                frame = line.partition(" ")[2]
                if frame.startswith('{"lastUpdateId"'):
                    return frame.rstrip()
        raise RecordingError(f"{self.path} holds no depth snapshot")

    def frames(self) -> Iterator[Frame]:
        """Yield the WebSocket frames, each freed of its combined-stream envelope."""
        venue = self.venue
        with gzip.open(self.path, "rt", encoding="utf-8") as lines:
            for line in lines:
                received, _, frame = line.partition(" ")
                if not frame.startswith(_ENVELOPE):
                    continue
                end_of_name = frame.index('"', len(_ENVELOPE))
                stream = frame[len(_ENVELOPE) : end_of_name].split("@")[1]
                if stream not in STREAMS:
                    raise RecordingError(f"{self.path} holds frames of an unknown stream: {stream}")
                payload = frame[end_of_name + len(_BETWEEN_NAME_AND_DATA) :].rstrip()[:-1]
                yield Frame(int(received), venue, stream, payload)


class RecordedMarket:
    """A spot and a perpetual recording of the same minutes, merged on their local receive time."""

    def __init__(self, spot: Path | str, perp: Path | str) -> None:
        self._recordings = (Recording(spot, "spot"), Recording(perp, "perp"))

    def snapshots(self) -> Mapping[VenueName, str]:
        """Return the recorded REST depth snapshots."""
        return {recording.venue: recording.snapshot() for recording in self._recordings}

    def frames(self, event_ms: Callable[[int], int]) -> Iterator[Frame]:
        """Yield the frames of both recordings in the order in which they were received."""
        return heapq.merge(*(recording.frames() for recording in self._recordings), key=_time)


def _time(frame: Frame) -> int:
    return frame.time_ns
