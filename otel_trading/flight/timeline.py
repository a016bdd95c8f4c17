"""What a process recorded as people read it: what went wrong, then what happened last, then what was measured."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING

from otel_trading.export import readable
from otel_trading.flight.measured import values

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from otel_trading._native import FlightLog, FlightSpan
    from otel_trading.flight.process import Process

    Line = list[tuple[str, str]]
    """Pieces of text, each with its style: the name of a colour, bold or dim, or nothing."""

_ERROR = 2
_BAR = 20
_TROUBLES = 20
_ROWS = 200
_ENOUGH = 20
_MANY_TIMES = 5
_ATTRIBUTES = 4
_LONGEST_VALUE = 40
_DEEPEST = 12
_SERIES = 30
_STYLES = {"unfinished": "yellow", "error": "red", "rejected": "red", "warning": "yellow", "slow": "magenta"}
_MARKS = {"unfinished": "…", "error": "✗", "rejected": "✗", "warning": "!", "slow": "!"}
_LOG = -1
"""The kind of a row that is a log record."""
_WARNING, _SEVERE = 13, 17
"""Severity numbers from which on a record is a warning, an error."""


def timeline(process: Process, *, seconds: float = 10.0, everything: bool = False) -> Iterator[Line]:
    """The lines that show what a process recorded: the newest trouble first, then the last seconds, or all of it."""
    rows = [*process.spans, *(_logged(log) for log in process.logs)]
    last = process.last_ns
    yield from _head(process)
    if not rows:
        yield [("no spans", "dim")]
    else:
        yield from _timeline(rows, last, seconds=seconds, everything=everything)
    measured = list(values(process.requests))
    if measured:
        yield []
        yield [("MEASURED", "bold"), (f" {len(measured)} series as they were last", "dim")]
    for time_ns, name, value in measured if everything else measured[:_SERIES]:
        yield [(f"{_seconds(time_ns, last):>11}  ", "dim"), (_text(name), ""), (f"  {value}", "bold")]
    if len(measured) > _SERIES and not everything:
        yield [(f"… and {len(measured) - _SERIES} more; --all shows them", "dim")]


def _timeline(rows: Sequence[FlightSpan], last: int, *, seconds: float, everything: bool) -> Iterator[Line]:
    troubles = _troubles(rows, last)
    yield []
    yield from _trouble(troubles, last, _TROUBLES if not everything else len(troubles))
    since = 0 if everything else last - round(seconds * 1e9)
    yield []
    yield [("TIMELINE", "bold"), (" all of it" if everything else f" the last {readable.duration(seconds)}", "dim")]
    found = list(_rows([row for row in rows if _end(row, last) >= since]))
    kept = found if everything else found[-_ROWS:]
    if len(kept) < len(found):
        yield [(f"… {len(found) - len(kept)} earlier rows; --all shows them", "dim")]
    kinds = {span["span_id"]: kind for kind, span in troubles}
    for depth, root, span in kept:
        yield _row(depth, root, span, last, kinds.get(span["span_id"], ""))


def _head(process: Process) -> Iterator[Line]:
    recording, spans, logs = process.main, len(process.spans), len(process.logs)
    moment = datetime.fromtimestamp((process.last_ns or recording.started_ns) / 1e9).astimezone()
    state = {"unfinished": "not closed in order", "clean": "closed in order"}.get(recording.state, recording.state)
    what = f"{spans} spans" + (f" and {logs} log records" if logs else "")
    yield [
        (recording.service or "unknown", "bold"),
        (f" · pid {recording.pid} · {state} · {what}, the last at ", ""),
        (moment.isoformat(" ", "milliseconds"), "bold"),
    ]
    for damage in process.damage:
        yield [(f"damaged: {damage}", "red")]
    if process.lost:
        yield [(f"{process.lost} records had to go before they were delivered: there was no room", "red")]


def _logged(log: FlightLog) -> FlightSpan:
    """A log record as a row of its own, inside the span in which it was logged."""
    time_ns = log["time_ns"] or log["observed_ns"]
    body = log["body"] if isinstance(log["body"], str) else repr(log["body"])
    return {
        "trace_id": log["trace_id"],
        "span_id": log["uid"],
        "parent_id": log["span_id"],
        "name": f"{log['event_name']}  {body}" if log["event_name"] else body,
        "scope": log["scope"],
        "kind": _LOG,
        "start_ns": time_ns,
        "end_ns": time_ns,
        "budget_ns": 0,
        "status": log["severity"],
        "status_message": "",
        "attributes": log["attributes"],
        "events": [],
        "open": False,
        "delivered": log["delivered"],
    }


def _troubles(spans: Sequence[FlightSpan], last: int) -> list[tuple[str, FlightSpan]]:
    """What was not finished, failed or took long, the newest first."""
    usual = _usual(spans)
    found = [(kind, span) for span in spans if (kind := _kind(span, usual))]
    return sorted(found, key=lambda each: (each[1]["open"], _end(each[1], last)), reverse=True)


def _usual(spans: Iterable[FlightSpan]) -> dict[str, float]:
    """The median duration of names that come up often, nanoseconds."""
    durations: dict[str, list[int]] = defaultdict(list)
    for span in spans:
        if span["end_ns"] is not None and span["kind"] != _LOG:
            durations[span["name"]].append(span["end_ns"] - span["start_ns"])
    return {name: median(all_of_it) for name, all_of_it in durations.items() if len(all_of_it) >= _ENOUGH}


def _kind(span: FlightSpan, usual: dict[str, float]) -> str:
    if span["kind"] == _LOG:
        severity = span["status"]
        return "error" if severity >= _SEVERE else "warning" if severity >= _WARNING else ""
    if span["end_ns"] is None:
        return "unfinished"
    if span["status"] == _ERROR:
        return "error"
    attributes = span["attributes"]
    if "trading.order.reject_reason" in attributes or attributes.get("trading.order.status") == "rejected":
        return "rejected"
    took = span["end_ns"] - span["start_ns"]
    if span["budget_ns"] and took > span["budget_ns"]:
        return "slow"
    return "slow" if took > _MANY_TIMES * usual.get(span["name"], float("inf")) else ""


def _trouble(troubles: Sequence[tuple[str, FlightSpan]], last: int, most: int) -> Iterator[Line]:
    yield [("TROUBLE", "bold"), ("" if troubles else " none", "green")]
    for kind, span in troubles[:most]:
        style = _STYLES[kind]
        yield [
            (f"{_offset(span, last):>11}  ", "dim"),
            (f"{kind:<10}  ", style),
            (f"{_took(span, last):>9}  ", ""),
            (_text(span["name"]), "bold"),
            (f"  {_text(span['status_message'])}" if span["status_message"] else "", style),
            (_attributes(span), "dim"),
        ]
    if len(troubles) > most:
        yield [(f"… and {len(troubles) - most} more; --all shows them", "dim")]


def _rows(spans: Sequence[FlightSpan]) -> Iterator[tuple[int, FlightSpan, FlightSpan]]:
    """Depth, root and span: roots by their begin, each with its children behind it."""
    known = {span["span_id"] for span in spans}
    children: dict[str, list[FlightSpan]] = defaultdict(list)
    for span in sorted(spans, key=lambda each: each["start_ns"]):
        parent = span["parent_id"]
        children[parent if parent in known and parent != span["span_id"] else ""].append(span)
    waiting = [(0, root, root) for root in reversed(children.pop("", []))]
    while waiting:
        depth, root, span = waiting.pop()
        yield depth, root, span
        waiting += [(depth + 1, root, child) for child in reversed(children.pop(span["span_id"], []))]


def _row(depth: int, root: FlightSpan, span: FlightSpan, last: int, kind: str) -> Line:
    style = _STYLES.get(kind, "")
    mark = _MARKS.get(kind, " ")
    return [
        (f"{_offset(span, last):>11}  {_took(span, last):>9}  ", style or "dim"),
        (_bar(root, span, last) if span["kind"] != _LOG else " " * _BAR, style or "cyan"),
        (f" {mark} {'  ' * min(depth, _DEEPEST)}", style),
        (_text(span["name"]), style),
        (_attributes(span), "dim"),
    ]


def _bar(root: FlightSpan, span: FlightSpan, last: int) -> str:
    """Where in its root's time a span was.

    >>> _bar({"start_ns": 0, "end_ns": 100}, {"start_ns": 50, "end_ns": 75}, 100)
    '          █████     '
    """
    whole = max(_end(root, last) - root["start_ns"], 1)
    begin = min(max((span["start_ns"] - root["start_ns"]) * _BAR // whole, 0), _BAR - 1)
    end = min(max(-(-(_end(span, last) - root["start_ns"]) * _BAR // whole), begin + 1), _BAR)
    return (" " * begin + "█" * (end - begin)).ljust(_BAR)


def _end(span: FlightSpan, last: int) -> int:
    return max(last, span["start_ns"]) if span["end_ns"] is None else span["end_ns"]


def _took(span: FlightSpan, last: int) -> str:
    if span["kind"] == _LOG:
        return "log"
    return readable.duration(max(_end(span, last) - span["start_ns"], 0) / 1e9)


def _offset(span: FlightSpan, last: int) -> str:
    return _seconds(span["start_ns"], last)


def _seconds(time_ns: int, last: int) -> str:
    return f"{(time_ns - last) / 1e9:+.6f} s" if time_ns != last else "0 s"


def _attributes(span: FlightSpan) -> str:
    shown = [f"{_text(key)}={_short(value)}" for key, value in span["attributes"].items()]
    more = f" (+{len(shown) - _ATTRIBUTES})" if len(shown) > _ATTRIBUTES else ""
    return "".join(f"  {each}" for each in shown[:_ATTRIBUTES]) + more


def _short(value: object) -> str:
    text = _text(value if isinstance(value, str) else repr(value))
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _text(text: str) -> str:
    """Without what a terminal takes for commands.

    >>> _text("red" + chr(27) + "[31m")
    'red?[31m'
    """
    return "".join(char if char.isprintable() else "?" for char in text)
