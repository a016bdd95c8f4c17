"""What telemetry itself does, as metrics."""

from __future__ import annotations

import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from otel_trading import redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Observation

    from otel_trading.companions import Companions
    from otel_trading.export.ledger import Account
    from otel_trading.metrics.instruments import Meter
    from otel_trading.metrics.timers import Timers
    from otel_trading.pipeline import Pipeline

_COUNTED = {
    "events": ("emitted", "{event}", "Items handed to telemetry."),
    "sent": ("sent", "{event}", "Items that receivers confirmed."),
    "retried": ("retried", "{event}", "Items whose request found no answer and was sent again."),
    "repeated": ("repeated", "{event}", "Items that may have arrived twice, as an answer was lost."),
    "recovered": ("recovered", "{event}", "Items of processes before this one that were delivered or dropped."),
    "exported.requests": ("requests", "{request}", "Requests that receivers confirmed."),
    "exported.size": ("bytes", "By", "Bytes of those requests, before compression."),
}
"""Counters by the end of their name: the figure of an account, unit, description."""


class Introspection:
    """Observes the pipeline in use, whichever that is by then."""

    def __init__(self, pipeline: Callable[[], Pipeline], timers: Timers, companions: Companions) -> None:
        self._pipeline = pipeline
        self._timers = timers
        self._companions = companions
        self._durations: Any = None

    def observe(self, meter: Meter) -> None:
        """Register the instruments; once an engine, the registration survives reconfiguration."""
        for name, (figure, unit, description) in _COUNTED.items():
            call = self._events if name == "events" else partial(self._figures, figure)
            meter.create_observable_counter(f"trading.telemetry.{name}", [call], unit, description)
        meter.create_observable_counter(
            "trading.telemetry.dropped",
            [self._dropped],
            "{event}",
            "Items that were lost, by signal, reason and lane, log records also by level.",
        )
        meter.create_observable_gauge(
            "trading.telemetry.pending", [self._pending], "{event}", "Items on their way, by where they wait."
        )
        meter.create_observable_gauge(
            "trading.telemetry.spool.size", [self._spool_size], "By", "Bytes of requests that wait in the spool."
        )
        meter.create_observable_gauge(
            "trading.telemetry.spool.age", [self._spool_age], "s", "Age of the oldest request in the spool."
        )
        meter.create_observable_counter(
            "trading.telemetry.traces.decisions",
            [self._decisions],
            "{span}",
            "Spans of traces that were kept or left out, by reason (engine native).",
        )
        meter.create_observable_counter(
            "trading.telemetry.overflow",
            [self._overflow],
            "{measurement}",
            "Measurements in otel.metric.overflow, because their instrument has too many series.",
        )
        meter.create_observable_counter(
            "trading.telemetry.redactions",
            [self._redactions],
            "{redaction}",
            "Secrets that were masked, by what they are.",
        )
        meter.create_observable_counter(
            "trading.stage.budget.violations",
            [self._violations],
            "{violation}",
            "Measurements that took longer than their budget.",
        )
        self._durations = meter.create_histogram(
            "trading.telemetry.export.duration", "s", "Duration of requests to receivers, answered or not."
        )

    def time_exports(self, pipeline: Pipeline) -> None:
        """Have a pipeline's couriers tell how long their requests take."""
        for signal, courier in pipeline.couriers.items():
            courier.timed = partial(self._durations.record, attributes={"signal": signal})

    def _accounts(self) -> Iterable[tuple[str, Account]]:
        return self._pipeline().accounts().items()

    def _figures(self, figure: str, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        for signal, account in self._accounts():
            yield Observation(getattr(account, figure), {"signal": signal})

    def _events(self, options: CallbackOptions) -> Iterable[Observation]:
        yield from self._figures("emitted", options)
        if self._companions.events is not None:
            yield from self._companions.events.offered(options)

    def _dropped(self, options: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        if self._companions.events is not None:
            yield from self._companions.events.dropped(options)
        for signal, account in self._accounts():
            if not account.dropped:
                yield Observation(0, {"signal": signal, "reason": "none", "lane": "important"})
            for (reason, lane, level), count in account.levels.items():
                yield Observation(count, {"signal": signal, "reason": reason, "lane": lane, "log.level": level})
            told = Counter[tuple[str, str]]()
            for (reason, lane, _), count in account.levels.items():
                told[reason, lane] += count
            for reason, count in account.dropped.items():
                low = account.low.get(reason, 0)
                important = count - low - told[reason, "important"]
                if important or not told[reason, "important"]:
                    yield Observation(important, {"signal": signal, "reason": reason, "lane": "important"})
                if low > told[reason, "low"]:
                    rest = low - told[reason, "low"]
                    yield Observation(rest, {"signal": signal, "reason": reason, "lane": "low"})

    def _pending(self, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        for signal, account in self._accounts():
            yield Observation(max(0, account.pending - account.spooled), {"signal": signal, "place": "memory"})
            yield Observation(account.spooled, {"signal": signal, "place": "spool"})

    def _spool_size(self, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        return [Observation(depth.bytes, {"signal": signal}) for signal, depth in self._pipeline().depths()]

    def _spool_age(self, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        now = time.time_ns()
        return [Observation(depth.age(now), {"signal": signal}) for signal, depth in self._pipeline().depths()]

    def _decisions(self, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        core = getattr(self._pipeline().tracer_provider, "core", None)
        if core is None:
            return
        counts = core.counts()
        for decision in ("kept", "dropped"):
            for reason, count in counts[decision].items():
                if count:
                    yield Observation(count, {"decision": decision, "reason": reason})

    def _overflow(self, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        native = self._pipeline().native
        if native is not None:
            yield Observation(native.dropped().get("cardinality_limit", 0))

    def _redactions(self, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        return [Observation(count, {"kind": kind}) for kind, count in redaction.counts().items()]

    def _violations(self, options: CallbackOptions) -> Iterable[Observation]:
        yield from self._timers.violations(options)
        if self._companions.events is not None:
            yield from self._companions.events.violations(options)
