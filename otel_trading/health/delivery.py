"""Telemetry's own health: whether the Collector is there, what waits, what was lost."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from otel_trading import redaction
from otel_trading.health.model import Component

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.health.model import State
    from otel_trading.status import Status

_LATELY = 300.0
"""Seconds for which a loss, or a part that began anew, is told."""
_OLD = 60.0
"""Seconds from which on what waits in the spool waits for long."""


class Delivery:
    """Judges what ``status()`` says."""

    def __init__(self, clock: Callable[[], float], wall_ns: Callable[[], int]) -> None:
        self._clock = clock
        self._wall_ns = wall_ns
        self._counted: deque[tuple[float, int, int]] = deque(maxlen=1_024)
        self.components: tuple[Component, ...] = ()

    def look(self, status: Status, restarts: Mapping[str, int]) -> None:
        """Take in the state of telemetry, and how often its parts began anew."""
        now, kept = self._clock(), self._counted
        kept.append((now, status.dropped, sum(restarts.values())))
        while len(kept) > 1 and kept[1][0] <= now - _LATELY:
            kept.popleft()
        lost = max(0, status.dropped - kept[0][1])
        anew = max(0, sum(restarts.values()) - kept[0][2])
        telemetry = self._telemetry(status, restarts, lost, anew)
        collector = self._collector(status)
        self.components = (telemetry,) if collector is None else (collector, telemetry)

    def _collector(self, status: Status) -> Component | None:
        targets = dict.fromkeys(url for urls in status.targets.values() for url in urls if "://" in url)
        if not targets:
            return None
        spool, reasons = status.spool, [f"{url} accepts no connection" for url in status.unreachable]
        state: State = "down" if status.unreachable else "healthy"
        details: dict[str, object] = {"targets": list(targets)}
        if spool is not None:
            details |= {"spool_bytes": spool.disk_bytes + spool.memory_bytes, "spool_age_seconds": round(spool.age, 1)}
            if spool.age > _OLD:
                reasons.append(f"what is not delivered waits for {spool.age:,.0f} s")
                state = "down" if status.unreachable else "degraded"
        return Component(
            "collector", state, False, tuple(reasons), details, checked_ns=self._wall_ns(), kind="collector"
        )

    def _telemetry(self, status: Status, restarts: Mapping[str, int], lost: int, anew: int) -> Component:
        reasons = []
        if lost:
            reasons.append(f"{lost:,} items were lost in the last {_LATELY / 60:g} minutes")
        if anew:
            parts = ", ".join(name for name, count in restarts.items() if count)
            reasons.append(f"{parts} failed and began anew")
        if status.spool is not None and status.spool.trouble:
            reasons.append(f"the spool cannot be written: {status.spool.trouble}")
        details: dict[str, object] = {"sent": status.sent, "dropped": status.dropped}
        if status.problems:
            details["problems"] = [redaction.redact(problem) for problem in status.problems[:10]]
        state: State = "degraded" if reasons else "healthy"
        return Component(
            "telemetry", state, False, tuple(reasons), details, checked_ns=self._wall_ns(), kind="telemetry"
        )
