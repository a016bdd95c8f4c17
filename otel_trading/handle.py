"""What the bot has of its telemetry: instruments, spans, log lines, and what looks after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from opentelemetry._logs import Logger
    from opentelemetry.trace import Tracer
    from opentelemetry.util.types import Attributes

    from otel_trading.alerts.manager import AlertManager
    from otel_trading.health.monitor import HealthMonitor
    from otel_trading.instrument.queues import Queues
    from otel_trading.lifecycle.facade import Lifecycle
    from otel_trading.lifecycle.model import Step
    from otel_trading.lifecycle.run import Run
    from otel_trading.lifecycle.state import StateFile
    from otel_trading.logs.lines import Lines, Log
    from otel_trading.logs.switch import SwitchLoggerProvider
    from otel_trading.metrics.instruments import Meter
    from otel_trading.metrics.switch import SwitchMeterProvider
    from otel_trading.metrics.timer import Timer
    from otel_trading.metrics.timers import Timers
    from otel_trading.operations import Operations
    from otel_trading.ops.cockpit.cockpit import Cockpit
    from otel_trading.ops.server import OpsServer
    from otel_trading.reloading.config import Config
    from otel_trading.reloading.reloading import Reloading
    from otel_trading.risk.emergency import Emergency
    from otel_trading.risk.gate import Risk
    from otel_trading.settings import Resolved, Settings
    from otel_trading.tracing.switch import SwitchTracerProvider
    from otel_trading.tracing.ticks import Ticks

    T = TypeVar("T")

SCOPE = "otel_trading"


class Handle:
    """The OpenTelemetry API objects, and the kit's own."""

    meter_provider: SwitchMeterProvider
    tracer_provider: SwitchTracerProvider
    logger_provider: SwitchLoggerProvider
    timers: Timers
    queues: Queues
    operations: Operations
    reloading: Reloading
    lifecycle: Lifecycle
    resolved: Resolved
    _problems: list[str]
    _ticks: Ticks

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

    def stop(self, reason: str = "stop() was called") -> bool:
        """End the block of ``running()``, from any thread; False when there is none, or it ends already."""
        return self.lifecycle.stop(reason)

    @property
    def state(self) -> StateFile[Any]:
        """The bot's state on the disk: ``load()`` at the start, ``save(value)`` whenever it is worth it."""
        return self.lifecycle.state
