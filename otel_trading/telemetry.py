"""The handle that ``configure()`` returns."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from otel_trading.companions import Companions
from otel_trading.exits import Exits
from otel_trading.introspection import Introspection
from otel_trading.metrics.timers import Timers
from otel_trading.status import Status
from otel_trading.tracing.ticks import Ticks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from opentelemetry._logs import Logger
    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer
    from opentelemetry.util.types import Attributes

    from otel_trading.export.added import Added
    from otel_trading.export.summary import Summary
    from otel_trading.instrument.registry import Undo
    from otel_trading.logs.bridge import Bridge
    from otel_trading.logs.switch import SwitchLoggerProvider
    from otel_trading.metrics.instruments import Meter
    from otel_trading.metrics.switch import SwitchMeterProvider
    from otel_trading.metrics.timer import Timer
    from otel_trading.ops.server import OpsServer
    from otel_trading.pipeline import Pipeline
    from otel_trading.settings import Resolved, Settings
    from otel_trading.tracing.switch import SwitchTracerProvider

SCOPE = "otel_trading"


class Telemetry:
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
        self._running = False
        self.ended = threading.Event()
        self.exits = Exits(self)
        self._draining: list[threading.Thread] = []
        self._observed: list[Meter] = []
        self.timers = Timers(lambda: self.meter)
        self.companions = Companions(self.timers)
        self._ticks = Ticks(lambda: self.tracer_provider)
        self._introspection = Introspection(lambda: self._pipeline, self.timers, self.companions)

    def start(
        self,
        resolved: Resolved,
        pipeline: Pipeline,
        ops: OpsServer | None,
        bridge: Bridge | None,
        uninstrument: list[Undo],
        problems: list[str],
    ) -> None:
        """Take what ``configure()`` built; called by it at every (re)configuration."""
        self.resolved = resolved
        self._pipeline = pipeline
        self.ops = ops
        self._bridge = bridge
        self._uninstrument = uninstrument
        self._problems = problems
        self._running = True
        self.ended.clear()
        self.exits.watch(signals=resolved.settings.exit_signals and not resolved.settings.disabled)
        if not any(self.meter is observed for observed in self._observed):
            self._observed.append(self.meter)
            self.observe_itself()
        self._introspection.time_exports(pipeline)
        self.companions.start(self.meter, resolved.settings)
        if resolved.settings.traces_enabled and not resolved.settings.disabled:
            self.companions.watch_traces(getattr(pipeline.tracer_provider, "core", None))
        recorder = None if pipeline.native is None else pipeline.native.recorder
        if recorder is not None and recorder.core.recording is not None:
            self.companions.watch_measurements(recorder.core)

    def observe_itself(self) -> None:
        """Report what telemetry itself does, as metrics of the engine in use."""
        self._introspection.observe(self.meter)

    @property
    def settings(self) -> Settings:
        """The options in force."""
        return self.resolved.settings

    @property
    def meter(self) -> Meter:
        """A meter for the bot's own instruments."""
        return self.meter_provider.get_meter(SCOPE)  # type: ignore[return-value]  # both engines' meters are such meters

    def timer(
        self, name: str, *, budget: float | None = None, description: str = "", attributes: Attributes = None
    ) -> Timer:
        """A timer, exported as a histogram in seconds; the same one for the same name and attributes.

        ``budget`` is how many seconds something may take: what takes longer is counted
        (``trading.stage.budget.violations``) and told in the log, at most once in ten seconds.

        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> decide = telemetry.timer("bot.decide", budget=ot.ms(10))
        >>> with decide.time():
        ...     pass
        >>> decide.stats().count, decide.stats(window=60).violations
        (1, 0)
        >>> telemetry.shutdown()
        True
        """
        return self.timers.timer(name, budget, description, attributes)

    @property
    def enabled(self) -> bool:
        """Whether anything is taken from the bot: the switch to throw while it runs. Off, its calls return at once.

        A signal that the settings turn off stays off.

        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> telemetry.enabled = False
        >>> telemetry.tracer.start_span("tick").is_recording()
        False
        >>> telemetry.enabled = True
        >>> telemetry.shutdown()
        True
        """
        return self.meter_provider.enabled or self.tracer_provider.enabled or self.logger_provider.enabled

    @enabled.setter
    def enabled(self, enabled: bool) -> None:
        settings = self.settings
        on = enabled and not settings.disabled
        self.meter_provider.enabled = on and settings.metrics_enabled
        self.tracer_provider.enabled = on and settings.traces_enabled
        self.logger_provider.enabled = on and settings.logs_enabled

    @property
    def measuring(self) -> bool:
        """Whether metrics are measured: the switch to throw while the bot runs. Off, calls return at once."""
        return self.meter_provider.enabled

    @measuring.setter
    def measuring(self, measuring: bool) -> None:
        self.meter_provider.enabled = measuring

    @property
    def tracer(self) -> Tracer:
        """A tracer for the bot's own spans."""
        return self.tracer_provider.get_tracer(SCOPE)

    def tick_to_trade(self, symbol: str, *, strategy: str | None = None, budget: float | None = None) -> Any:  # noqa: ANN401
        """A trace of the way from a tick to the order it leads to, for a ``with`` statement.

        Its root span, ``tick_to_trade``, is the current one in the block. The trace is kept if it is slow for its kind
        or takes longer than ``budget`` seconds, if it failed or was rejected, if it slipped, if it is marked by
        ``keep()``, or at random (see ``traces_retention``). What is the same at every tick is made once.

        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> with telemetry.tick_to_trade("BTC/USDT", budget=ot.ms(5)) as tick:
        ...     tick.set_attribute("trading.opportunity.edge.bps", 4.2)
        ...     tick.keep()
        >>> telemetry.shutdown()
        True
        """
        return self._ticks.start(symbol, strategy, budget)

    @property
    def logger(self) -> Logger:
        """An OpenTelemetry logger; the standard library's ``logging`` is shipped without it."""
        return self.logger_provider.get_logger(SCOPE)

    @property
    def patience(self) -> float:
        """How many seconds ``flush`` and ``shutdown`` may take when nothing else is said."""
        return self.settings.shutdown_timeout

    @property
    def running(self) -> bool:
        """Whether telemetry is delivered; False after ``shutdown``."""
        return self._running

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
        if self.settings.summary_at_exit:
            self._print_summary()
        self._detach()
        delivered = [self._pipeline.close(deadline)]
        self.tracer_provider.let_go()
        delivered += [added.shutdown(deadline) for added in self._added()]
        self._pipeline.close_store()
        for thread in self._draining:
            thread.join(max(0.0, deadline - time.monotonic()))
        self.companions.stop()
        if self.ops is not None:
            self.ops.close()
            self.ops = None
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

    def status(self) -> Status:
        """The state at this moment; probes the receivers for at most a third of a second each."""
        settings = self.settings
        return Status(
            service=str(self._pipeline.resource.attributes["service.name"]),
            profile=settings.profile,
            engine=settings.engine,
            ops_url=self.ops.url if self.ops else None,
            targets=self._pipeline.targets,
            unreachable=tuple(self._pipeline.unreachable()),
            signals=self._pipeline.accounts(),
            spool=self._pipeline.spool(),
            problems=tuple(self._problems),
        )

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

    def restart_in_child(self) -> None:
        """Go on in a forked child: empty queues, own threads, and the ops port left to the parent."""
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self._draining = []
        self.ended = threading.Event()
        if not self._running:
            self.ended.set()
        self.exits.restart_in_child()
        self.meter_provider.restart_in_child()
        if self.ops is not None:
            self.ops.abandon_in_child()
            self.ops = None
        self._pipeline.begin_in_child()
        if self._running:
            self.companions.restart_in_child()
            self._pipeline.restart_in_child()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.shutdown()

    def _added(self) -> tuple[Added[SpanProcessor], Added[LogRecordProcessor]]:
        return self.tracer_provider.added, self.logger_provider.added

    def _detach(self) -> None:
        """Take the log handler and the instrumentations out of the bot."""
        if self._bridge is not None:
            self._bridge.detach()
        for undo in self._uninstrument:
            undo()
        self._bridge, self._uninstrument = None, []

    def _deadline(self, timeout: float | None) -> float:
        return time.monotonic() + max(0.0, self.settings.shutdown_timeout if timeout is None else timeout)
