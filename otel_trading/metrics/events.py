"""Events: one measurement each, recorded in nanoseconds and understood in the background.

A stage is measured as a block, as a function or from two ends; counters, gauges and histograms beside it. What was
recorded goes to a queue of fixed size that is read ten times a second without the GIL: durations with their
percentiles, counts, throughput, budgets, and how long a trace takes from stage to stage.

>>> collector = MetricsCollector()
>>> collector.configure(EventOptions(sampling_threshold=0))
>>> with measure(EventID.SIGNAL_GENERATION):
...     pass
>>> count(event_id("bot.ticks"), 3)
>>> statistics = collector.get_statistics()
>>> statistics["SIGNAL_GENERATION"]["count"], statistics["bot.ticks"]["total"]
(1, 3.0)
>>> collector.enabled = False
>>> collector.reset()
"""

from __future__ import annotations

import contextlib
import functools
import re
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.context import _RUNTIME_CONTEXT, get_current
from opentelemetry.context.context import Context

from otel_trading.metrics.event_collector import MetricsCollector, StageTime
from otel_trading.metrics.event_ids import EventID, MetricType, event_id, event_name
from otel_trading.metrics.event_options import EventOptions
from otel_trading.metrics.event_recorder import CORRELATION_KEY, measured, recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = [
    "EventID",
    "EventOptions",
    "MetricType",
    "MetricsCollector",
    "StageTime",
    "correlate",
    "count",
    "event_id",
    "event_name",
    "gauge",
    "measure",
    "measure_async",
    "observe",
    "record_end",
    "record_event",
    "record_start",
]

_F = TypeVar("_F", bound="Callable[..., Any]")

measure = recorder.measure
"""Measure a block (``with measure(event):``) or each call of a function (``@measure(event)``).

One object may be used again while it is active, by the same task or by others: each use has its own start.
"""

record_start = recorder.start
"""Something begins; the token for ``record_end``, 0 when it is not recorded."""

record_end = recorder.end
"""What ``record_start`` gave the token for ends, in whatever order; the token 0 ends nothing."""

record_event = recorder.event
"""Something happened: the event's counter grows by one."""

count = recorder.count
"""A counter grows by an amount that is not negative, by default one."""

gauge = recorder.gauge
"""A gauge has a value now. Gauges are never left out by sampling."""

observe = recorder.observe
"""A value for a histogram; negative ones have their place."""


def measure_async(event: int) -> Callable[[_F], _F]:
    """Measure each call of a coroutine function, which stays one to ``inspect``; other functions, too.

    >>> @measure_async(EventID.CANDLE_PROCESSING)
    ... async def on_candle(candle): ...
    >>> import inspect
    >>> inspect.iscoroutinefunction(on_candle)
    True
    """
    return functools.partial(measured, event=event)  # type: ignore[return-value]


@contextlib.contextmanager
def correlate(trace_id: int | str) -> Iterator[None]:
    """Events in this block, and in tasks that begin in it, belong to a trace.

    ``trace_id`` is a number (a candle's, an OpenTelemetry trace id) or text; without ``correlate`` the trace of the
    current span is taken. ``MetricsCollector.explain`` tells what became of it.

    >>> with correlate("order 42"):
    ...     record_event(EventID.ORDER_FILL)
    """
    context = Context({**get_current(), CORRELATION_KEY: trace_key(trace_id)})
    token = _RUNTIME_CONTEXT.attach(context)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # a generator that is closed by another task
            _RUNTIME_CONTEXT.detach(token)


_TRACE_ID = re.compile(r"[0-9a-f]{32}")


def trace_key(trace_id: int | str) -> int:
    """A trace's number, of which the low 64 bits count.

    >>> trace_key("0af7651916cd43dd8448eb211c80319c") == 0x0AF7651916CD43DD8448EB211C80319C
    True
    """
    if not isinstance(trace_id, str):
        return trace_id
    if _TRACE_ID.fullmatch(trace_id):
        return int(trace_id, 16)
    import hashlib

    return int.from_bytes(hashlib.blake2b(trace_id.encode(errors="replace"), digest_size=8).digest())
