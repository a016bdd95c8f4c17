"""``/flight``: what the flight recorder holds."""

from __future__ import annotations

from itertools import islice
from operator import itemgetter
from typing import TYPE_CHECKING

from aiohttp import web

from otel_trading.flight.folder import recordings
from otel_trading.flight.process import process
from otel_trading.flight.timeline import timeline
from otel_trading.ops.plain import moment, moment_ns, written
from otel_trading.ops.problems import RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading.flight.folder import Listed
    from otel_trading.ops.api.route import Asked

LONGEST = 600.0
"""Seconds of a recording that can be asked for."""

_MOST_LINES = 5_000
_USUAL = 10.0


async def listed(asked: Asked) -> object:
    """The recordings of this user's bots, the newest last."""
    folder = asked.source.flight_folder
    found = await asked.tools.work.share("recordings", recordings, folder)
    return {"folder": str(folder), "recordings": [_row(each) for each in found]}


async def shown(asked: Asked) -> object:
    """What a recording holds of the last seconds: as text for people, or a JSON object a line (application/jsonl)."""
    seconds = _seconds(asked.request.query.get("seconds", ""))
    as_json = "json" in asked.request.headers.get("Accept", "")
    name, folder = asked.request.match_info["name"], asked.source.flight_folder
    body = await asked.tools.work.share(("recording", name, seconds, as_json), _read, folder, name, seconds, as_json)
    if body is None:
        raise RefusedError(404, f"there is no recording {name}; GET /flight lists them")
    kind = "application/jsonl" if as_json else "text/plain"
    return web.Response(body=body, content_type=kind, charset="utf-8")


async def snapshot(asked: Asked) -> object:
    """Copy what the flight recorder of this bot holds now into its folder."""
    copy = await asked.tools.work.do(asked.source.flight_snapshot)
    if copy is None:
        raise RefusedError(409, "nothing is recorded, or the copy cannot be written; the bot's log says which")
    return {"file": copy.name}


def _seconds(given: str) -> float:
    try:
        seconds = float(given) if given else _USUAL
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= LONGEST:
        raise RefusedError(400, f"seconds is a number above 0 up to {LONGEST:.0f}")
    return seconds


def _read(folder: Path, name: str, seconds: float, as_json: bool) -> bytes | None:
    path = next((each.path for each in recordings(folder) if each.path.name == name and each.state), None)
    if path is None:
        return None
    try:
        read = process(path)
    except (OSError, ValueError):
        return None
    if not as_json:
        lines = ("".join(text for text, _ in line) for line in timeline(read, seconds=seconds))
        return "".join(f"{line}\n" for line in islice(lines, _MOST_LINES)).encode(errors="replace")
    since = read.last_ns - round(seconds * 1e9)
    found = [(each["end_ns"] or read.last_ns, {"record": "span", **each}) for each in read.spans]
    found += [(each["time_ns"] or each["observed_ns"], {"record": "log", **each}) for each in read.logs]
    newest = sorted((row for row in found if row[0] >= since), key=itemgetter(0))[-_MOST_LINES:]
    return b"".join(written(row) + b"\n" for _, row in newest)


def _row(each: Listed) -> dict[str, object]:
    return {
        "name": each.path.name,
        "service": each.service,
        "pid": each.pid,
        "began": moment_ns(each.started_ns),
        "changed": moment(each.changed),
        "size": each.size,
        "in_use": each.in_use,
        "state": each.state,
    }
