"""The handle that ``configure()`` returns."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

from otel_trading import redaction
from otel_trading._native import wall_ns
from otel_trading.companions import Companions
from otel_trading.exits import Exits
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

    from opentelemetry._logs import Logger
    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer
    from opentelemetry.util.types import Attributes

    from otel_trading.alerts.manager import AlertManager
    from otel_trading.export.added import Added
    from otel_trading.export.summary import Summary
    from otel_trading.health.monitor import HealthMonitor
    from otel_trading.instrument.registry import Undo
    from otel_trading.lifecycle.model import Step
    from otel_trading.lifecycle.run import Run
    from otel_trading.lifecycle.state import StateFile
    from otel_trading.logs.bridge import Bridge
    from otel_trading.logs.lines import Lines, Log
    from otel_trading.logs.switch import SwitchLoggerProvider
    from otel_trading.metrics.instruments import Meter
    from otel_trading.metrics.switch import SwitchMeterProvider
    from otel_trading.metrics.timer import Timer
    from otel_trading.ops.cockpit.cockpit import Cockpit
    from otel_trading.ops.server import OpsServer
    from otel_trading.pipeline import Pipeline
    from otel_trading.reloading.config import Config
    from otel_trading.risk.emergency import Emergency
    from otel_trading.risk.gate import Risk
    from otel_trading.runtime.loop import LoopState
    from otel_trading.settings import Resolved, Settings
    from otel_trading.tracing.switch import SwitchTracerProvider
    from otel_trading.trading.facade import Trading

    T = TypeVar("T")

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
        self._running = self._logging = False
        self.ended = threading.Event()
        self.exits = Exits(self)
        self._draining: list[threading.Thread] = []
        self._observed: list[Meter] = []
        self.timers = Timers(lambda: self.meter)
        self.queues = Queues()
        self.companions = Companions(self.timers, self.queues)
        self._ticks = Ticks(lambda: self.tracer_provider)
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
    def settings(self) -> Settings:
        """The options in force."""
        return self.resolved.settings

    @property
    def problems(self) -> tuple[str, ...]:
        """What of the settings in force could not be used."""
        return tuple(self._problems)

    @property
    def emergency(self) -> Emergency:
        """The emergency stop."""
        return self.operations.emergency

    @property
    def risk(self) -> Risk:
        """What every order is asked before it goes out.

        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          emergency_folder="none", ops_port=0, banner=False)
        >>> telemetry.risk.allows({"symbol": "BTC/USDT", "side": "buy"})
        True
        >>> telemetry.shutdown()
        True
        """
        return self.operations.risk

    @property
    def health(self) -> HealthMonitor:
        """How the bot is."""
        return self.operations.health

    @property
    def alerts(self) -> AlertManager:
        """What people are told."""
        return self.operations.alerts

    @property
    def ops(self) -> OpsServer | None:
        """The ops server, where there is one."""
        return self.operations.server

    @property
    def cockpit(self) -> Cockpit:
        """The figures of the live page."""
        return self.operations.cockpit

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

    def watch_queue(self, name: str, queue: Any) -> Callable[[], None]:  # noqa: ANN401 - anything with a size
        """Report from now on how many items wait in a queue, as ``trading.queue.depth``; call the result to end it.

        ``queue`` is any of ``asyncio``, ``queue`` or ``collections``, or whatever has ``qsize()`` or a length. It is
        looked at when metrics are read, by another thread. It is held weakly where it can be, so that one that is gone
        is reported no more; queues of the same name are added up.

        >>> import queue
        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> orders = queue.Queue()
        >>> stop = telemetry.watch_queue("orders", orders)
        >>> telemetry.shutdown()
        True
        """
        return self.queues.watch(name, queue)

    def watch_config(
        self,
        model: type[T],
        file: str | Path | None = None,
        *,
        section: str | None = None,
        env_prefix: str | None = None,
        default: T | None = None,
    ) -> Config[T]:
        """The bot's own configuration, checked by a model, which is taken anew whenever its file changes.

        ``model`` is a pydantic model or a dataclass. ``file`` is TOML, YAML or JSON; without one it is the kit's, and
        the ``section`` there is ``bot``. A section is a table, with dots for tables within tables. Variables come
        before the file: with ``env_prefix="BOT_"`` ``BOT_RISK__MAX_EXPOSURE`` is ``risk.max_exposure``.

        Raises ``ConfigError`` with everything that is wrong when there is nothing to begin with; with a ``default``
        that holds in its place. From then on nothing raises: what cannot be used is refused whole, and the old stays.

        >>> import otel_trading as ot
        >>> from pydantic import BaseModel
        >>> class Risk(BaseModel, frozen=True):
        ...     max_exposure: float = 10_000.0
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> config = telemetry.watch_config(Risk)
        >>> config.current.max_exposure
        10000.0
        >>> telemetry.shutdown()
        True
        """
        return self.reloading.watch(model, file, section, env_prefix, default)

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

    def switched_off(self) -> list[Any]:
        """The providers that the settings have on and somebody has switched off."""
        settings = self.settings
        wanted = (
            (self.meter_provider, settings.metrics_enabled),
            (self.tracer_provider, settings.traces_enabled),
            (self.logger_provider, settings.logs_enabled),
        )
        return [each for each, on in wanted if on and not settings.disabled and not each.enabled]

    def levels_by_hand(self, settings: Settings) -> Callable[[], None]:
        """What gives loggers the levels that ``set_log_level`` gave them, unless the settings have others by then."""
        from otel_trading.logs.levels import LEVELS

        before = (self.settings.log_level, self.settings.log_levels)
        if before != (settings.log_level, settings.log_levels):
            return lambda: None
        shown = LEVELS.shown()
        return lambda: LEVELS.configure(shown.pop(""), shown)

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

    def tick_to_trade(
        self, symbol: str, *, strategy: str | None = None, budget: float | None = None, received_ns: int | None = None
    ) -> Any:  # noqa: ANN401 - either engine's
        """A trace of the way from a tick to the order it leads to, for a ``with`` statement.

        Its root span, ``tick_to_trade``, is the current one in the block. The trace is kept if it is slow for its kind
        or takes longer than ``budget`` seconds, if it failed or was rejected, if it slipped, if it is marked by
        ``keep()``, or at random (see ``traces_retention``). What is the same at every tick is made once. It begins now,
        or when the tick was received, in nanoseconds since 1970; from there to the first order that is submitted in
        the block is ``trading.tick_to_trade.duration``.

        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> with telemetry.tick_to_trade("BTC/USDT", budget=ot.ms(5)) as tick:
        ...     tick.set_attribute("trading.opportunity.edge.bps", 4.2)
        ...     tick.keep()
        >>> telemetry.shutdown()
        True
        """
        return self._ticks.start(symbol, strategy, budget, received_ns)

    @property
    def logger(self) -> Logger:
        """An OpenTelemetry logger; the standard library's ``logging`` is shipped without it."""
        return self.logger_provider.get_logger(SCOPE)

    def set_log_level(self, level: str | int, logger: str = "") -> bool:
        """Take lines of a logger, and of those below it, from this level on; ``""`` is all that have no other one.

        Holds for ``logging``, structlog, loguru and the kit's own loggers, until telemetry is configured anew. What the
        bot's own handlers print becomes no less; where ``logging`` would not make the records that are asked for, its
        logger's level is lowered as long as they are. False when it is no level, which is reported.

        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> telemetry.set_log_level("DEBUG", "venue.kraken")
        True
        >>> telemetry.log_levels()
        {'': 'INFO', 'venue.kraken': 'DEBUG'}
        >>> telemetry.shutdown()
        True
        """
        from otel_trading.logs.levels import LEVELS, SEVERITIES
        from otel_trading.settings import Problem, report

        try:
            LEVELS.set(level, logger)
        except ValueError:
            report(Problem("level", level, ", ".join(SEVERITIES), LEVELS.get(logger), "set_log_level"))
            return False
        return True

    def log_levels(self) -> dict[str, str]:
        """The levels in force, by logger; the one of ``""`` holds for all others."""
        from otel_trading.logs.levels import LEVELS

        return LEVELS.shown()

    @property
    def lines(self) -> Lines:
        """Where log lines go in, whatever they come from."""
        return self.logger_provider.lines

    def log(self, name: str = "") -> Log:
        """A logger of one of the bot's components; the same one for the same name, all its life.

        Each call takes fields by name, which stay what they are: numbers, texts, lists. ``event`` says what happened in
        a word that programs look for, ``tags`` are words to search by, ``error`` is an exception whose stack goes
        along. A call takes about a microsecond and never raises or waits. ``bind`` gives a logger with fields of its
        own in each line.

        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> log = telemetry.log("order_router").bind(venue="kraken")
        >>> log.info("order sent", event="order.sent", price=64123.5, side="buy", tags=("live",))
        >>> try:
        ...     1 / 0
        ... except ZeroDivisionError as error:
        ...     log.error("no price", error=error)
        >>> telemetry.shutdown()
        True
        """
        return self.lines.log(name)

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

    def running(
        self,
        *steps: Step | Callable[[], object],
        state: Callable[[], object] | None = None,
        signals: Sequence[str] | None = None,
        timeout: float | None = None,
        step_timeout: float | None = None,
        grace: float | None = None,
        close_positions: bool | None = None,
        exit: Literal["signal", "zero", "return"] | None = None,  # noqa: A002 - what it is about
        report: bool | None = None,
        flush: bool = True,
        force: bool | None = None,
    ) -> Run:
        """A block that ends in order, for ``async with``, or ``with`` in a bot of threads.

        SIGTERM, Ctrl-C, ``stop()``, an exception or the end of its body: then the steps are done, one after the other
        and each within its time, then telemetry is delivered, all within one deadline. See docs/shutdown.md.

        Args:
            steps: functions, coroutine functions or ``Step``; known names have their place whatever the order:
                ``stop_new_orders``, ``cancel_orders``, ``close_positions``, ``reconcile``, ``disconnect``,
                ``save_state``.
            state: returns the bot's state; the step ``save_state`` keeps it in ``telemetry.lifecycle.state``.
            signals: names of the signals that end it; ``ending_signals`` when not given.
            timeout: seconds for everything; ``ending_timeout`` when not given.
            step_timeout: seconds for a step without a timeout of its own; ``ending_step_timeout`` when not given.
            grace: seconds that a body has to end by itself if it looks at ``run.should_stop`` or waits for
                ``run.wait_stop()``; ``ending_grace`` when not given.
            close_positions: whether that step is done; ``ending_close_positions`` when not given.
            exit: how the process goes on after a signal; ``ending_exit`` when not given.
            report: whether the report is printed; ``ending_report`` when not given.
            flush: whether telemetry is delivered at the end.
            force: whether the process is ended when the block cannot be left in time; not in tests by pytest.

        Raises:
            RuntimeError: there is such a block already; at the block's beginning.
            TypeError: a step is no function.

        >>> import asyncio
        >>> import otel_trading as ot
        >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        ...                          ops_port=0, banner=False)
        >>> async def cancel_orders():
        ...     return "2 cancelled"
        >>> async def main():
        ...     async with telemetry.running(cancel_orders) as run:
        ...         telemetry.stop("end of the day")
        ...         await asyncio.sleep(60)
        ...     return run.report
        >>> asyncio.run(main())["cancel_orders"].detail
        '2 cancelled'
        >>> telemetry.shutdown()
        True

        """
        return self.lifecycle.running(
            *steps,
            state=state,
            signals=signals,
            timeout=timeout,
            step_timeout=step_timeout,
            grace=grace,
            close_positions=close_positions,
            exit=exit,
            report=report,
            flush=flush,
            force=force,
        )

    def ends_soon(self, reason: str) -> None:
        """The bot begins to end: nobody is to give it work any more."""
        self.operations.health.shutting_down(reason)

    def stop(self, reason: str = "stop() was called") -> bool:
        """End the block of ``running()``, from any thread; False when there is none, or it ends already."""
        return self.lifecycle.stop(reason)

    @property
    def state(self) -> StateFile[Any]:
        """The bot's state on the disk: ``load()`` at the start, ``save(value)`` whenever it is worth it."""
        return self.lifecycle.state

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
