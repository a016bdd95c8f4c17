"""What becomes of changes is told: in a log line, in a metric, and to whoever asked for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from otel_trading import forks
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.logs.lines import Log
    from otel_trading.metrics.instruments import Meter
    from otel_trading.reloading.outcome import Outcome
    from otel_trading.settings import Resolved, Settings

    Listener = Callable[[Outcome], None]

_MOST_CHANGES = 50
"""Changes that a line shows."""

_COUNTER = "trading.config.reloads"


class Host(Protocol):
    """The telemetry handle."""

    resolved: Resolved

    @property
    def settings(self) -> Settings: ...

    @property
    def meter(self) -> Meter: ...

    def log(self, name: str = "") -> Log: ...


class Audit:
    """Tells of each outcome; listeners are called on the thread that took the change."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._counters: dict[int, Any] = {}
        self._listeners: list[Listener] = []
        self._lock = forks.lock()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have it called with each outcome; call the result to end that."""
        with self._lock:
            self._listeners = [*self._listeners, listener]

        def end() -> None:
            with self._lock:
                self._listeners = [each for each in self._listeners if each is not listener]

        return end

    def tell(self, outcome: Outcome) -> None:
        """Write the line, count, and call the listeners."""
        try:
            self._write(outcome)
            if outcome.outcome != "unchanged":
                self._counter().add(1, {"trading.config.outcome": outcome.outcome})
        except Exception as error:  # what is done is done
            report(f"a change of {outcome.source} is not told of: {type(error).__name__}: {error}")
        for listener in self._listeners:
            try:
                listener(outcome)
            except Exception as error:
                report(f"a listener of changes of {outcome.source} failed: {type(error).__name__}: {error}")

    def _write(self, outcome: Outcome) -> None:
        log = self._host.log("config")
        fields: dict[str, Any] = {"source": outcome.source, "by": outcome.by}
        if outcome.outcome == "refused":
            said = "; ".join(outcome.problems[:_MOST_CHANGES])
            message = f"configuration {outcome.source} is refused, and the old one holds: {said}"
            log.warning(
                message,
                event="config_refused",
                problems=list(outcome.problems[:_MOST_CHANGES]),
                **fields,
            )
            return
        if outcome.outcome == "unchanged":
            message = f"configuration {outcome.source} changes nothing"
            log.info(message, event="config_unchanged", **fields)
            return
        message = f"configuration {outcome.source} changed: {_told(outcome)}"
        log.info(
            message,
            event="config_changed",
            changes=[str(change) for change in outcome.changes[:_MOST_CHANGES]],
            at_next_start=[str(change) for change in outcome.later[:_MOST_CHANGES]],
            without_effect=list(outcome.hidden[:_MOST_CHANGES]),
            **fields,
        )

    def _counter(self) -> Any:  # noqa: ANN401 - either engine's
        """The counter of the engine in use."""
        from otel_trading.trading.conventions import create

        meter = self._host.meter
        if id(meter) not in self._counters:
            self._counters = {id(meter): create(meter, _COUNTER)}
        return self._counters[id(meter)]


def _told(outcome: Outcome) -> str:
    parts = [str(change) for change in outcome.changes[:_MOST_CHANGES]]
    if len(outcome.changes) > _MOST_CHANGES:
        parts.append(f"{len(outcome.changes) - _MOST_CHANGES} more")
    if outcome.later:
        parts.append("from the next start on " + ", ".join(map(str, outcome.later[:_MOST_CHANGES])))
    if outcome.hidden:
        parts.append(f"no effect of {', '.join(outcome.hidden[:_MOST_CHANGES])}, which stronger sources set")
    return "; ".join(parts)
