"""What rules need and no event says: latencies, profit, space on disks."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from otel_trading import _native
from otel_trading.alerts.aside import Aside
from otel_trading.alerts.rules.view import Disk
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_trading.metrics.instruments import Meter
    from otel_trading.trading.facade import Trading
    from otel_trading.trading.feeds import Feed

_WINDOW = 60
_P95 = 1
_SECONDS_BETWEEN_DISKS = 30.0


class Latencies:
    """How long the market data of each venue took in the last minute, read from the histogram that has it anyway."""

    def __init__(self, meter: Meter, pump: _native.Pump) -> None:
        self._histogram: Any = create(meter, "trading.market_data.latency")
        self._pump = pump
        self._watches: dict[tuple[str, str], _native.HistogramWatch] = {}

    def read(self, feeds: Iterable[Feed]) -> dict[str, float]:
        """The 95th percentile by venue, in seconds; of several kinds of data the slowest."""
        if not isinstance(self._histogram, _native.Histogram):
            return {}
        found: dict[str, float] = {}
        for venue, kind in {(feed.about.venue, feed.about.type) for feed in feeds}:
            watch = self._watches.get((venue, kind))
            if watch is None:
                series = self._histogram.bind({"trading.venue.name": venue, "trading.market_data.type": kind})
                watch = self._watches[venue, kind] = self._pump.watch(series, f"latency of {venue}")
            _, count, _, _, quantiles = watch.stats(_WINDOW)
            if count and quantiles is not None:
                found[venue] = max(quantiles[_P95], found.get(venue, 0.0))
        return found

    def close(self) -> None:
        """Watch no more."""
        for watch in self._watches.values():
            self._pump.forget(watch)
        self._watches.clear()


def session_pnl(trading: Trading) -> dict[tuple[str | None, str], float]:
    """Profit since the session began, by strategy and currency."""
    found: dict[tuple[str | None, str], float] = {}
    for seen in trading.sessions.observe():
        attributes = seen.attributes or {}
        strategy = attributes.get("trading.strategy.name")
        found[None if strategy is None else str(strategy), str(attributes["trading.currency"])] = float(seen.value)
    return found


class Disks:
    """Looks at the file systems that the bot writes to, beside the thread that watches: a disk may not answer."""

    def __init__(self, paths: Sequence[str] = ()) -> None:
        self.paths = tuple(paths)
        self.seen: tuple[Disk, ...] = ()
        self._aside: Aside[tuple[Disk, ...]] = Aside("otel-alert-disks")
        self._next = 0.0

    def read(self, now: float) -> tuple[Disk, ...]:
        """What was found last; now and then it looks anew."""
        found = self._aside.take()
        if found is not None:
            self.seen = found
        if self.paths and now >= self._next and self._aside.start(self._look):
            self._next = now + _SECONDS_BETWEEN_DISKS
        return self.seen

    def restart_in_child(self) -> None:
        """Look anew in a forked child."""
        self._aside.restart_in_child()
        self._next = 0.0

    def _look(self) -> tuple[Disk, ...]:
        found: dict[object, Disk] = {}
        for path in self.paths:
            try:
                place = _existing(Path(path))
                device = place.stat().st_dev
                if device not in found:
                    space = shutil.disk_usage(place)
                    found[device] = Disk(f"{place}", space.free, space.total)
            except OSError:
                continue
        return tuple(found.values())


def _existing(path: Path) -> Path:
    """The path, or the folder above it that there is."""
    path = path.expanduser().absolute()
    return next((each for each in (path, *path.parents) if each.exists()), path)
