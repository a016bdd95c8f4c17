"""How long things take: percentiles over the last 1, 5 and 60 seconds and ever, of whatever is timed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from otel_trading import _native
from otel_trading.ops.cockpit.values import Tree, known, number, words
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from otel_trading.metrics.instruments import Meter
    from otel_trading.metrics.timers import Timers
    from otel_trading.ops.cockpit.memory import Memory
    from otel_trading.runtime import Runtime
    from otel_trading.trading.facade import Trading

ROWS = 60
"""Things that are timed and shown."""

AT_ONCE = 4
"""Of these so many are read at one update, in turn: reading all windows of one takes about 0.1 ms."""

_SERIES = 24
"""Series of histograms that are followed beside the timers."""

_WINDOWS = (1, 5, 60)
_DIGITS = 9
_EVENTS = {
    "order_submitted": ("tick to trade", "order"),
    "order_acknowledged": ("order acknowledged", "order"),
    "order_filled": ("order filled", "order"),
    "order_canceled": ("order canceled", "order"),
    "request_completed": ("request to a venue", "order"),
    "trade_completed": ("trade", "order"),
}
_STAGE = "trading.stage.name"
_MARKET = "trading.market_data.latency"

Watch = _native.HistogramWatch | Any
"""What tells statistics: of a histogram's series, or of a timer."""


class Latencies:
    """Follows what is timed anyway; the rows that are not read at an update stay as they were."""

    def __init__(self, timers: Timers) -> None:
        self._timers = timers
        self._series: dict[str, tuple[str, str, _native.HistogramWatch]] = {}
        self._rows: Tree = {}
        self._turn = 0

    def rows(self, memory: Memory) -> Tree:
        """All rows, of which some are read anew."""
        sources = dict(self._sources(memory))
        names = list(sources)
        self._rows = {name: row for name, row in self._rows.items() if name in sources}
        fresh = [name for name in names if name not in self._rows]
        turn = names[self._turn :] + names[: self._turn]
        due = list(dict.fromkeys([*fresh, *turn]))[: 2 * AT_ONCE if fresh else AT_ONCE]
        self._turn = (self._turn + AT_ONCE) % max(1, len(names))
        for name in due:
            label, kind, watch = sources[name]
            self._rows[name] = row(label, kind, watch)
        return dict(self._rows)

    def follow(self, meter: Meter, trading: Trading | None, runtime: Runtime | None) -> int:
        """Find series to follow, about once a second; how many there are. They are measured anyway."""
        if runtime is not None and runtime.running:
            for thread in runtime.loops.overdue():
                self._add(f"event loop of {thread}", "runtime", runtime.loops.lag, {"thread.name": thread})
            for generation in range(3):
                label = f"garbage collection {generation}"
                self._add(label, "runtime", runtime.pauses, {"cpython.gc.generation": generation})
        if trading is not None and len(self._series) < _SERIES:
            for venue, kind in {(feed.about.venue, feed.about.type) for feed in trading.feeds}:
                name = f"market data {venue} {kind}"
                if name not in self._series:
                    labels = {"trading.venue.name": venue, "trading.market_data.type": kind}
                    self._add(name, "market", create(meter, _MARKET), labels)
        return len(self._series)

    def stop(self) -> None:
        """Follow no series any more."""
        for _, _, watch in self._series.values():
            self._timers.pump.forget(watch)
        self._series.clear()

    def _add(self, name: str, kind: str, histogram: object, labels: Mapping[str, Any]) -> None:
        if name in self._series or len(self._series) >= _SERIES or not isinstance(histogram, _native.Histogram):
            return
        self._series[name] = name, kind, self._timers.pump.watch(histogram.bind(labels), name)

    def _sources(self, memory: Memory) -> Iterator[tuple[str, tuple[str, str, Watch]]]:
        for event, watch in memory.watches.items():
            label, kind = _EVENTS[event]
            yield event, (label, kind, watch)
        for name, labels, timer in self._timers.all()[:ROWS]:
            stage = labels.get(_STAGE)
            others = " ".join(f"{value}" for key, value in labels.items() if key != _STAGE)
            label = f"{stage or name} {others}".strip()
            yield f"{name} {label}", (label, "timer", timer)
        for name, (label, kind, watch) in self._series.items():
            yield name, (label, kind, watch)


def row(label: str, kind: str, watch: Watch) -> Tree:
    """What something took: by window its count, rate, p50, p95, p99, p99.9 and maximum, in seconds."""
    windows = {}
    for window in (*_WINDOWS, None):
        told = summary(watch, window)
        if told is not None:
            windows["all" if window is None else str(window)] = told
    violations = watch.violations if watch.budget is not None else None
    return known(label=words(label, 120), kind=kind, budget=number(watch.budget), over=violations, windows=windows)


def summary(watch: Watch, window: int | None) -> list[float | int] | None:
    """Count, rate and times of a window; ``None`` where nothing was measured."""
    found = watch.stats(window)
    if isinstance(found, tuple):
        seconds, count, _, greatest, quantiles = found
        rate = count / seconds if seconds > 0 else 0.0
        times = (*(quantiles or ()), greatest)
    else:
        count, rate = found.count, found.rate
        times = (found.p50, found.p95, found.p99, found.p999, found.max)
    if not count or not all(map(math.isfinite, times)):
        return None
    return [count, round(rate, 2), *(round(time, _DIGITS) for time in times)]
