"""All that one process recorded: its spans, log records and measurements stand in files of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_trading import _native
from otel_trading.flight.folder import recordings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_trading._native import FlightLog, FlightSpan, Recording


_TOGETHER = 2.0
"""Seconds in which the parts of a snapshot are written."""


@dataclass(frozen=True, slots=True)
class Process:
    """What is known of a process; ``main`` is the recording that was asked for, ``files`` are all of them."""

    main: Recording
    files: list[Path]
    spans: list[FlightSpan]
    logs: list[FlightLog]
    requests: list[bytes]
    """The last value of each series, as OTLP requests."""
    last_ns: int
    """The last moment of which something is told, nanoseconds since 1970; 0 when there is none."""
    damage: tuple[str, ...]
    lost: int
    """Records that had to go before they were delivered."""


def process(path: Path) -> Process:
    """Read a recording and those beside it of the same process; ``ValueError`` says why it cannot be read."""
    main = _native.Recording(path)
    read = [(path, main), *_others(path, main)]
    lone = len(read) == 1
    spans = [span for _, recording in read for span in recording.spans()]
    logs = [log for _, recording in read for log in recording.logs()]
    happened = [recording.last_ns for _, recording in read if recording.signal != "metrics" and recording.last_ns]
    return Process(
        main,
        [file for file, _ in read],
        # A copy may be there as well, and in it a span that ended since.
        list({span["span_id"]: span for span in sorted(spans, key=lambda each: not each["open"])}.values()),
        list({log["uid"]: log for log in logs}.values()),
        [request for _, recording in read for request in recording.measurements()],
        max(happened or [recording.last_ns for _, recording in read]),
        tuple(line if lone else f"{file.name}: {line}" for file, recording in read for line in recording.damage),
        sum(recording.lost for _, recording in read),
    )


def _others(path: Path, main: Recording) -> Iterator[tuple[Path, Recording]]:
    """Those of the same moment, where it is a snapshot; else all but snapshots."""
    all_of_them = recordings(path.parent)
    taken = next((listed.changed for listed in all_of_them if listed.path.name == path.name), 0.0)
    for listed in all_of_them:
        if listed.path.name == path.name or (listed.pid, listed.service) != (main.pid, main.service):
            continue
        try:
            other = _native.Recording(listed.path)
        except ValueError:
            continue
        snapshots = [recording.state == "snapshot" for recording in (main, other)]
        together = not any(snapshots) or (all(snapshots) and abs(listed.changed - taken) < _TOGETHER)
        if together and other.instance == main.instance:
            yield listed.path, other
