"""The demo over its recordings, with a trace for every tick, and what it knows of its traces without asking for them.

It trades on smaller moves than ``otel-trading demo`` does, so that there are enough trades to say something about.
What is true of its traces is told by a span processor, which sees all of them, and by what the bot logged.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import format_span_id, format_trace_id

import otel_trading as ot
from otel_trading.demo.bot import Parameters, Settings
from otel_trading.demo.bot.strategy import Signal
from otel_trading.demo.runner import Plan, Run
from otel_trading.demo.venue import Fault

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

    from otel_trading import Telemetry
    from otel_trading.demo.report import Report
    from otel_trading.trading.events import Event

FAULTS = (("reject:spot:1", 0.0), ("slow_ack:perp:80ms", 0.0), ("disconnect:perp", 2.0))


@dataclass(frozen=True, slots=True)
class Eager(Plan):
    """A plan whose bot trades as often as it can."""

    def strategy(self) -> Parameters:
        """See ``Plan``."""
        return Parameters(warm_up=1.0, entry=0.2, floor_bps=0.05, exit=0.0, longest_hold=0.2)


class OneMore(Run):
    """A run that ends with a trade on markets that stand still: on a busy machine there may be no other one in time."""

    async def _drained(self) -> None:
        await super()._drained()
        if self.bot._trading is not None:
            await asyncio.wait([self.bot._trading])
        await self.bot._trade(Signal("open", "buy", 0.0, 0.0, self.now_ns()))


class Seen(SpanProcessor):
    """All spans that ended, in this order, by trace."""

    def __init__(self) -> None:
        self.spans: dict[str, list[tuple[str, str | None, str, int]]] = defaultdict(list)

    def on_end(self, span: ReadableSpan) -> None:
        """Note a span's id, its parent's, its name and how many nanoseconds it took."""
        context = span.get_span_context()
        assert context is not None
        assert span.start_time is not None
        assert span.end_time is not None
        parent = None if span.parent is None else format_span_id(span.parent.span_id)
        row = (format_span_id(context.span_id), parent, span.name, span.end_time - span.start_time)
        self.spans[format_trace_id(context.trace_id)].append(row)


class Said:
    """The traces within which the bot complained."""

    def __init__(self, telemetry: Telemetry) -> None:
        self.traces: dict[str, set[str]] = {"rejected": set(), "failed": set()}
        self._orders = telemetry.trading.orders
        events = ("order_rejected", "order_unanswered", "trade_completed")
        telemetry.trading.subscribe(self._note, events)

    def _note(self, event: Event, values: tuple[Any, ...], _: int) -> None:
        """Note the trace in which an order was rejected, or a trade ended in another way than it should."""
        told = dict(zip(event.fields, values, strict=False))
        context = trace.get_current_span().get_span_context()
        if event.name != "trading.trade.completed":
            order = self._orders.get(told["client_order_id"])
            context = context if order is None or order.context is None else order.context
        elif told["outcome"] == "success":
            return
        kind = "rejected" if event.name == "trading.order.rejected" else "failed"
        self.traces[kind].add(format_trace_id(context.trace_id))


def trace_every_tick(report: Report, telemetry: Telemetry) -> None:
    """Have each frame of market data be a trace of two spans."""
    tracer, plain = telemetry.tracer, report.frame

    def frame(venue: Any, stream: str, message: dict[str, Any], received_ns: int) -> None:
        with (
            tracer.start_as_current_span(f"tick {venue} {stream}", start_time=received_ns),
            tracer.start_as_current_span("take in"),
        ):
            plain(venue, stream, message, received_ns)

    report.frame = frame  # type: ignore[method-assign]


def main(spot: str, perp: str, told: str) -> None:
    """Play both recordings, and write what is known into a file."""
    telemetry = ot.configure(banner=False, ops_enabled=False, flight_size=1 << 24)
    seen, said = Seen(), Said(telemetry)
    telemetry.tracer_provider.add_span_processor(seen)
    logging.getLogger("asyncio").addHandler(logging.NullHandler())
    faults = [(Fault.parse(fault), after) for fault, after in FAULTS]
    run = OneMore(Eager(spot=Path(spot), perp=Path(perp), speed=None, faults=faults), telemetry)
    run.bot.settings = Settings(strategy=run.plan.strategy(), pause=0.0, longest_back_off=0.01)
    trace_every_tick(run.bot._report, telemetry)
    asyncio.run(run.play())
    telemetry.flush(60)  # a busy machine may need longer than a bot waits at its end
    summary = run.finish()
    traces = {name: sorted(ids) for name, ids in said.traces.items()}
    lost = dict(telemetry.status().signals["traces"].dropped)
    Path(told).write_text(json.dumps({"summary": summary, "spans": seen.spans, **traces, "lost": lost}))


if __name__ == "__main__":
    main(*sys.argv[1:])
