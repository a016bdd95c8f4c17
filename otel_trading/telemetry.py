"""The handle that ``configure()`` returns."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Self

from otel_trading import redaction
from otel_trading._native import wall_ns
from otel_trading.companions import Companions
from otel_trading.exits import Exits
from otel_trading.handle import Handle
from otel_trading.instrument.queues import Queues
from otel_trading.introspection import Introspection
from otel_trading.lifecycle.facade import Lifecycle
from otel_trading.metrics.timers import Timers
from otel_trading.operations import Operations
from otel_trading.reloading.reloading import Reloading
from otel_trading.risk.emergency import observe as observe_emergency
from otel_trading.status import Status
from otel_trading.tracing.ticks import Ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.trace import SpanProcessor

    from otel_trading.export.added import Added
    from otel_trading.export.summary import Summary
    from otel_trading.instrument.registry import Undo
    from otel_trading.logs.bridge import Bridge
    from otel_trading.logs.lines import Log
    from otel_trading.logs.switch import SwitchLoggerProvider
    from otel_trading.metrics.instruments import Meter
    from otel_trading.metrics.switch import SwitchMeterProvider
    from otel_trading.pipeline import Pipeline
    from otel_trading.runtime.loop import LoopState
    from otel_trading.settings import Resolved
    from otel_trading.tracing.switch import SwitchTracerProvider
    from otel_trading.trading.facade import Trading


class Telemetry(Handle):
    """The bot's telemetry: the OpenTelemetry API objects, and its life cycle.

    Made by ``configure()``. As a context manager it shuts down at the end of the block.
    """

    def __init__(
        self,
        meter_provider: SwitchMeterProvider,
        tracer_provider: SwitchTracerProvider,
        logger_provider: SwitchLoggerProvider,
    ) -> None:
        self.meter_provider = meter_provider
        self.tracer_provider = tracer_provider
        self.logger_provider = logger_provider
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._running = self._logging = False
        self.ended = threading.Event()
        self.exits = Exits(self)
        self._draining: list[threading.Thread] = []
        self._observed: list[Meter] = []
        self.timers = Timers(lambda: self.meter)
        self.queues = Queues()
        self._ticks = Ticks(lambda: self.tracer_provider)
        self.companions = Companions(self.timers, self.queues)
        self._trading: Trading | None = None
        self._event_clock: Callable[[], int] | None = None
        self.operations = Operations(self)
        self.reloading = Reloading(self, self.operations)
        self.lifecycle = Lifecycle(self)
        self._introspection = Introspection(lambda: self._pipeline, self.timers, self.companions)

    def start(
        self,
        resolved: Resolved,
        pipeline: Pipeline,
        bridge: Bridge | None,
        uninstrument: list[Undo],
        problems: list[str],
    ) -> None:
        """Take what ``configure()`` built; called by it at every (re)configuration."""
        self.resolved = resolved
        self._pipeline = pipeline
        self._bridge = bridge
        self._uninstrument = uninstrument
        self._problems = problems
        self._running = self._logging = True
        self.ended.clear()
        self.exits.watch(signals=resolved.settings.exit_signals and not resolved.settings.disabled)
        if not any(self.meter is observed for observed in self._observed):
            self._observed.append(self.meter)
            self.observe_itself()
        self.alerts.report_to(self.meter, self.log("alert_manager"))
        if self._trading is not None:
            self._connect(self._trading)
        self._introspection.time_exports(pipeline)
        self.companions.start(self.meter, resolved.settings)
        self.operations.outbox.measure(self.meter)
        if resolved.settings.traces_enabled and not resolved.settings.disabled:
            self.companions.watch_traces(getattr(pipeline.tracer_provider, "core", None))
        recorder = None if pipeline.native is None else pipeline.native.recorder
        if recorder is not None and recorder.core.recording is not None:
            self.companions.watch_measurements(recorder.core)
        self.operations.emergency.begin()

    def observe_itself(self) -> None:
        """Report what telemetry itself does, as metrics of the engine in use."""
        self._introspection.observe(self.meter)
        self.queues.observe(self.meter)
        self.operations.health.observe(self.meter)
        observe_emergency(self.meter, lambda: self.emergency)

    @property
    def trading(self) -> Trading:
        """Where the bot says what happens to its orders, trades, positions and venues; see ``Trading``.

        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> telemetry.trading.order_submitted("c-1", venue="binance", symbol="BTC/USDT", side="buy", quantity=0.5)
        >>> len(telemetry.trading.orders)
        1
        >>> telemetry.shutdown()
        True
        """
        if self._trading is None:
            from otel_trading.trading.conventions import SHORT_NAMES
            from otel_trading.trading.facade import Trading

            with self._lock:
                if self._trading is None:
                    self.lines.short_keys = SHORT_NAMES
                    trading = Trading(self.meter, self.tracer, self.lines, timer=self.timer)
                    trading.clock = self._event_clock or wall_ns
                    self._connect(trading)
                    self._trading = trading
                    self.timers.chores = [trading.staleness.look]
                    if self._running:
                        self.timers.start()
        return self._trading

    @property
    def patience(self) -> float:
        """How many seconds ``flush`` and ``shutdown`` may take when nothing else is said."""
        return self.settings.shutdown_timeout

    def reload_soon(self, by: str) -> bool:
        """Have configuration files taken as they are now, without waiting; False when there is none."""
        return self.reloading.reload_soon(by)

    @property
    def delivering(self) -> bool:
        """Whether telemetry is delivered; False after ``shutdown``."""
        return self._running

    def ends_soon(self, reason: str) -> None:
        """The bot begins to end: nobody is to give it work any more."""
        self.operations.health.shutting_down(reason)

    def summary(self) -> str:
        """What was measured so far, as a text for people: timers with percentiles, totals, levels, drops."""
        from otel_trading.export import summary

        return summary.text(self._summary())

    def _summary(self) -> Summary:
        from otel_trading.export.summary import read
        from otel_trading.metrics.render import collected

        return read(collected(self._pipeline.meter_provider), self.timers.budgets())

    def flush(self, timeout: float | None = None) -> bool:
        """Deliver what is pending within ``timeout`` seconds for all signals together; True when all went out.

        Without a timeout ``shutdown_timeout`` holds.
        """
        deadline = self._deadline(timeout)
        delivered = [self._pipeline.flush(deadline), *(added.flush(deadline) for added in self._added())]
        return all(delivered)

    def flight_snapshot(self) -> Path | None:
        """Copy what the flight recorder holds now into its folder, for ``otel-trading flight show``; a copy's path.

        Spans, log records and measurements are in files of their own, which are shown together. ``None`` when nothing
        is recorded, as without the native engine, or the copy cannot be written, which is reported.
        """
        from otel_trading.flight.folder import prepared
        from otel_trading.settings import report

        service = str(self._pipeline.resource.attributes["service.name"])
        try:
            folder = prepared(self.settings.flight_folder)
            copies = [core.snapshot(folder, service) for core in self._pipeline.recorders()]
            return next((Path(copy) for copy in copies if copy is not None), None)
        except OSError as error:
            report(f"there is no snapshot of the flight recorder: {error}")
            return None

    def shutdown(self, timeout: float | None = None) -> bool:
        """Deliver what is pending and end all threads within ``timeout`` seconds in total; True when all went out.

        Without a timeout ``shutdown_timeout`` holds. A second call does nothing.
        """
        deadline = self._deadline(timeout)
        self.reloading.end(deadline)
        with self._lock:
            if not self._running or os.getpid() != self._owner:
                return True
            self._running = False
        try:
            return self._shutdown(deadline)
        finally:
            self.exits.give_back()
            self.ended.set()

    def _shutdown(self, deadline: float) -> bool:
        self.emergency.finish(deadline)
        if self.settings.summary_at_exit:
            self._print_summary()
        self.operations.tell_last(max(0.0, deadline - time.monotonic()))
        self._logging = False
        self._detach()
        delivered = [self._pipeline.close(deadline)]
        self.tracer_provider.let_go()
        delivered += [added.shutdown(deadline) for added in self._added()]
        self._pipeline.close_store()
        for thread in self._draining:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.companions.stop()
        self.operations.stop()
        return all(delivered)

    def settle(self) -> None:
        """Leave what reads the native core to the next pipeline."""
        self._pipeline.settle()

    def _print_summary(self) -> None:
        from otel_trading.export.summary import show
        from otel_trading.settings import report

        try:
            show(self._summary(), sys.stderr)
        except Exception as error:  # a report never costs the delivery
            report(f"there is no summary: {type(error).__name__}: {error}")

    def replace(self, pipeline: Pipeline) -> None:
        """Put another pipeline behind the API; what is pending in the old one is delivered in the background."""
        self._detach()
        old = self._pipeline
        self.meter_provider.use(pipeline.meter_provider, pipeline.ledgers["metrics"])
        self.tracer_provider.use(pipeline.tracer_provider, pipeline.ledgers["traces"])
        self.logger_provider.use(pipeline.logger_provider)
        drain = threading.Thread(target=self._drain, args=(old, pipeline), name="otel-draining", daemon=True)
        self._draining = [thread for thread in self._draining if thread.is_alive()] + [drain]
        self._pipeline = pipeline
        drain.start()

    def _drain(self, old: Pipeline, new: Pipeline) -> None:
        last = old.store is not new.store
        old.close(self._deadline(None), last=last)
        if last:
            old.close_store()

    def status(self, *, probe: bool = True) -> Status:
        """The state at this moment; probes the receivers for at most a third of a second each, unless told not to."""
        settings = self.settings
        return Status(
            service=str(self._pipeline.resource.attributes["service.name"]),
            profile=settings.profile,
            engine=settings.engine,
            ops_url=self.ops.url if self.ops else None,
            targets={
                signal: tuple(map(redaction.redact, targets)) for signal, targets in self._pipeline.targets.items()
            },
            unreachable=tuple(map(redaction.redact, self._pipeline.unreachable() if probe else ())),
            signals=self._pipeline.accounts(),
            spool=self._pipeline.spool(),
            problems=(*self._problems, *self._pipeline.troubles(), *self.reloading.problems),
        )

    def event_loops(self) -> Sequence[LoopState]:
        """The event loops that run, and how long each has not answered; for health."""
        runtime = self.companions.runtime
        return runtime.loops.states() if runtime is not None and runtime.running else ()

    def status_json(self) -> Mapping[str, object]:
        """``status()`` as plain values, for the ops server."""
        status = self.status()
        return {**asdict(status), "sent": status.sent, "dropped": status.dropped}

    def render_metrics(self, accept: str) -> tuple[bytes, str]:
        """All metrics as Prometheus text, for the ops server."""
        pull = self._pipeline.pull
        if pull is None:
            return b"", "text/plain; version=0.0.4; charset=utf-8"
        return pull.render(accept)

    def _connect(self, trading: Trading) -> None:
        """Have trading events go where the settings say."""
        trading.connect(self.meter, self.tracer, self.settings.metric_symbols)
        trading.sessions.begin_at(self.settings.session_start)
        trading.feeds.stale_after = self.settings.stale_after
        self.operations.attend(trading, self.meter, self.timers.pump)

    def tell_time(self, now_ns: Callable[[], int] | None) -> None:
        """Have trading events told by this clock, in nanoseconds since 1970; without one by the system's."""
        self._event_clock = now_ns
        if self._trading is not None:
            self._trading.clock = now_ns or wall_ns

    def forget_trading(self) -> None:
        """Know of no order, position, trade or subscription any more."""
        if self._trading is not None:
            self._trading.begin_anew()

    def restart_in_child(self) -> None:
        """Go on in a forked child: empty queues, own threads, and the ops port left to the parent."""
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._draining = []
        self.ended = threading.Event()
        if not self._running:
            self.ended.set()
        self.exits.restart_in_child()
        self.lifecycle.restart_in_child()
        self.meter_provider.restart_in_child()
        self.timers.pump.reset_in_child()  # a thread of the parent may hold its lock, and operations take it
        self.operations.restart_in_child()
        self._pipeline.begin_in_child()
        if self._running:
            self.reloading.restart_in_child()
            self.companions.restart_in_child()
            if self._trading is not None:
                self._trading.forget()
            self._pipeline.restart_in_child()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()

    def _added(self) -> tuple[Added[SpanProcessor], Added[LogRecordProcessor]]:
        return self.tracer_provider.added, self.logger_provider.added

    def alert_log(self) -> Log | None:
        """Where alerts are logged; nowhere when nobody would see it."""
        return self.log("alerts") if self._logging and self.logger_provider.enabled else None

    def _detach(self) -> None:
        """Take the log handler and the instrumentations out of the bot."""
        if self._bridge is not None:
            self._bridge.detach()
        for undo in self._uninstrument:
            undo()
        self._bridge, self._uninstrument = None, []

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + max(0.0, self.settings.shutdown_timeout if timeout is None else timeout)
