"""Rows on encoding spans: from ended ones to a request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from otel_trading.bench.contenders import OURS, SDK, NotThereError
from otel_trading.bench.model import Column, Figures, Goal, Outcome, Row, Section

if TYPE_CHECKING:
    from otel_trading.bench.contenders.base import SpanEncoder
    from otel_trading.bench.model import Bench

ENCODING = Section(
    "Spans encoded to OTLP, in nanoseconds a span",
    (Column("held_ns", "GIL held", 1), Column("cpu_ns", "in all", 1), Column("bytes", "B/span")),
    "CPU of the thread that does it, from ended spans to a request; GIL held: that of what other threads wait for",
)


def encoding(name: str, *, goals: tuple[Goal, ...]) -> Row:
    """A row of ``Effort.spans`` spans with two attributes each."""
    return Row(name, ENCODING, _encoded, goals)


def _encoded(bench: Bench) -> Outcome:
    outcome = Outcome()
    encoders: dict[str, SpanEncoder] = {}
    for who in (OURS, SDK):
        try:
            encoders[who] = bench.contender(who).span_encoder(bench.effort.spans)
        except NotThereError as error:
            outcome.left_out[who] = str(error)
    for _ in range(bench.effort.repeats):
        for who, encoder in encoders.items():
            figures = _once(encoder, bench.effort.spans)
            best = outcome.figures.setdefault(who, figures)
            outcome.figures[who] = {name: min(value, best[name]) for name, value in figures.items()}
    return outcome


def _once(encoder: SpanEncoder, spans: int) -> Figures:
    clock = time.thread_time_ns
    encoder.make()
    started = clock()
    encoder.free()
    freed = clock()
    size = encoder.held()
    ended = clock()
    return {"held_ns": (ended - freed) / spans, "cpu_ns": (ended - started) / spans, "bytes": size / spans}
