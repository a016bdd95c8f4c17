"""A recording as people read it: what went wrong, then what happened last."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from statistics import median
from typing import TYPE_CHECKING

from otel_trading.export import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from otel_trading._native import FlightSpan, Recording

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
_STYLES = {"unfinished": "yellow", "error": "red", "slow": "magenta"}


def timeline(recording: Recording, *, seconds: float = 10.0, everything: bool = False) -> Iterator[Line]:
    """The lines that show a recording: the newest trouble first, then the last seconds, or all of it."""
    spans = recording.spans()
    last = recording.last_ns
    yield from _head(recording, spans)
    if not spans:
        yield [("no spans", "dim")]
        return
    troubles = _troubles(spans, last)
    yield []
    yield from _trouble(troubles, last, _TROUBLES if not everything else len(troubles))
    since = 0 if everything else last - round(seconds * 1e9)
    yield []
    yield [("TIMELINE", "bold"), (" all of it" if everything else f" the last {readable.duration(seconds)}", "dim")]
    rows = list(_rows([span for span in spans if _end(span, last) >= since]))
    kept = rows if everything else rows[-_ROWS:]
    if len(kept) < len(rows):
        yield [(f"… {len(rows) - len(kept)} earlier spans; --all shows them", "dim")]
    kinds = {span["span_id"]: kind for kind, span in troubles}
    for depth, root, span in kept:
        yield _row(depth, root, span, last, kinds.get(span["span_id"], ""))


def _head(recording: Recording, spans: Sequence[FlightSpan]) -> Iterator[Line]:
    moment = datetime.fromtimestamp((recording.last_ns or recording.started_ns) / 1e9).astimezone()
    state = {"unfinished": "not closed in order", "clean": "closed in order"}.get(recording.state, recording.state)
    yield [
        (recording.service or "unknown", "bold"),
        (f" · pid {recording.pid} · {state} · {len(spans)} spans, the last at ", ""),
        (moment.isoformat(" ", "milliseconds"), "bold"),
    ]
    for damage in recording.damage:
        yield [(f"damaged: {damage}", "red")]


def _troubles(spans: Sequence[FlightSpan], last: int) -> list[tuple[str, FlightSpan]]:
    """What was not finished, failed or took long, the newest first."""
    usual = _usual(spans)
    found = [(kind, span) for span in spans if (kind := _kind(span, usual))]
    return sorted(found, key=lambda each: (each[1]["open"], _end(each[1], last)), reverse=True)


def _usual(spans: Iterable[FlightSpan]) -> dict[str, float]:
    """The median duration of names that come up often, nanoseconds."""
    durations: dict[str, list[int]] = defaultdict(list)
    for span in spans:
        if span["end_ns"] is not None:
            durations[span["name"]].append(span["end_ns"] - span["start_ns"])
    return {name: median(all_of_it) for name, all_of_it in durations.items() if len(all_of_it) >= _ENOUGH}


def _kind(span: FlightSpan, usual: dict[str, float]) -> str:
    if span["end_ns"] is None:
        return "unfinished"
    if span["status"] == _ERROR:
        return "error"
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
    mark = {"unfinished": "…", "error": "✗", "slow": "!"}.get(kind, " ")
    return [
        (f"{_offset(span, last):>11}  {_took(span, last):>9}  ", style or "dim"),
        (_bar(root, span, last), style or "cyan"),
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
    return readable.duration(max(_end(span, last) - span["start_ns"], 0) / 1e9)


def _offset(span: FlightSpan, last: int) -> str:
    return f"{(span['start_ns'] - last) / 1e9:+.6f} s" if span["start_ns"] != last else "0 s"


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
