"""The live page's figures: looked at once a second, and five times while somebody watches."""

from __future__ import annotations

import asyncio
import os
import platform
import time
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Protocol

from otel_trading._native import wall_ns
from otel_trading.logs.tail import tail
from otel_trading.ops.cockpit import wellbeing
from otel_trading.ops.cockpit.delivery import delivery
from otel_trading.ops.cockpit.history import History
from otel_trading.ops.cockpit.latency import Latencies, summary
from otel_trading.ops.cockpit.markets import Markets
from otel_trading.ops.cockpit.memory import Memory
from otel_trading.ops.cockpit.process import Process, loops
from otel_trading.ops.cockpit.traces import Traces
from otel_trading.ops.cockpit.trading import Tables, orders
from otel_trading.ops.cockpit.values import Tree, known, milliseconds, words
from otel_trading.ops.cockpit.verdict import verdict
from otel_trading.settings import report
from otel_trading.tracing.native.latest import latest

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.web import Application

    from otel_trading.alerts.manager import AlertManager
    from otel_trading.companions import Companions
    from otel_trading.health.monitor import HealthMonitor
    from otel_trading.metrics.instruments import Meter
    from otel_trading.metrics.timers import Timers
    from otel_trading.ops.cockpit.hub import Hub
    from otel_trading.risk.emergency import Emergency
    from otel_trading.runtime import Runtime
    from otel_trading.settings import Settings
    from otel_trading.status import Status
    from otel_trading.trading.facade import Trading

UPDATES = 5
"""Updates a second while somebody watches."""

_PROGRAM = {"version": version("otel-trading"), "python": platform.python_version(), "host": words(platform.node())}
_SECOND = 1.0
_BETWEEN_RESTS = 4
"""Parts that are read without a rest."""

_PROBES = 10.0
"""Seconds between two looks whether receivers can be reached."""


class Watched(Protocol):
    """What the page is about."""

    timers: Timers
    companions: Companions

    @property
    def settings(self) -> Settings:
        """The options in force."""
        ...

    @property
    def meter(self) -> Meter:
        """The meter in use."""
        ...

    @property
    def emergency(self) -> Emergency:
        """The emergency stop."""
        ...

    @property
    def health(self) -> HealthMonitor:
        """How the bot is."""
        ...

    @property
    def alerts(self) -> AlertManager:
        """What people are told."""
        ...

    def status(self, *, probe: bool = True) -> Status:
        """What becomes of telemetry."""
        ...


class Cockpit:
    """Lives on the ops thread, and asks the bot's thread for nothing."""

    name = "the live page"

    def __init__(self, source: Watched) -> None:
        self._source = source
        self._trading: Trading | None = None
        self._started_ns = wall_ns()
        self._latest = latest()
        self.memory = Memory(source.timers.pump)
        self.history = History()
        self.traces = Traces(self._latest)
        self._begin()

    def _begin(self) -> None:
        self._hub: Hub | None = None
        self._latencies = Latencies(self._source.timers)
        self._markets = Markets()
        self._process = Process()
        self._tables = Tables(self.memory)
        self._sections: Tree = {}
        self._failed: set[str] = set()
        self._unreachable: tuple[str, ...] = ()
        self._counted: tuple[float, dict[str, int]] | None = None
        self._rates: dict[str, float] = {}
        self._cost = 0.0
        self._status: Status | None = None

    def follow(self, trading: Trading | None, *, on: bool) -> None:
        """Remember what the bot says from now on, where there is a page to show it."""
        self._trading = trading if on else None
        self._latest.wanted = on
        self.memory.follow(self._trading)

    def restart_in_child(self) -> None:
        """Know nothing in a forked child."""
        self._started_ns = wall_ns()
        self._latest.clear()
        tail().clear()
        self.history.clear()
        self.traces.clear()
        self.memory.forget()
        self._begin()

    @property
    def hub(self) -> Hub:
        """Who watches; made on the ops thread."""
        if self._hub is None:
            from otel_trading.ops.cockpit.hub import Hub

            self._hub = Hub(tail(), self.history, self.traces.trace)
        return self._hub

    def add_routes(self, application: Application) -> None:
        """Add the page to a server's; called on the ops thread."""
        from otel_trading.ops.cockpit.routes import add_routes

        add_routes(application, self)

    async def live(self) -> None:
        """See ``Resident``."""
        hub = self.hub
        hub.begin()
        measured = probed = float("-inf")
        probing: asyncio.Task[None] | None = None
        try:
            while True:
                now = time.monotonic()
                second = now - measured >= _SECOND
                if second:
                    measured = now
                    self._measure(now)
                if len(hub):
                    if now - probed >= _PROBES:
                        probed = now
                        probing = asyncio.ensure_future(self._probe())
                    await self._update(hub, slow=second)
                elif self._sections:
                    self._rest()
                await self._pause(hub, now)
        finally:
            if probing is not None:
                probing.cancel()
            self._rest()
            await hub.close()

    async def _pause(self, hub: Hub, began: float) -> None:
        if len(hub):
            await asyncio.sleep(max(0.01, began + 1 / UPDATES - time.monotonic()))
            return
        hub.arrived.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_SECOND):
                await hub.arrived.wait()

    def _rest(self) -> None:
        """Nobody watches any more."""
        self._sections = {}
        self._latencies.stop()
        self.traces.clear()

    async def _probe(self) -> None:
        try:
            status = await asyncio.to_thread(self._source.status)
            self._unreachable = status.unreachable
        except Exception as error:
            self._complain("receivers", error)

    # What is kept of the past, watched or not

    def _measure(self, now: float) -> None:
        """One point of the history; some 0.1 ms."""
        try:
            self._process.measure()
            trading, memory = self._trading, self.memory
            if trading is not None:
                self._markets.measure(trading, now)
                counts = {
                    "orders": trading.orders.submitted,
                    "fills": memory.counts["order_filled"],
                    "rejects": memory.counts["order_rejected"],
                }
                before, self._counted = self._counted, (now, counts)
                if before is not None and now > before[0]:
                    passed = now - before[0]
                    self._rates = {
                        name: round(max(0, count - before[1].get(name, 0)) / passed, 2)
                        for name, count in counts.items()
                    }
            self.history.add(self._point())
        except Exception as error:
            self._complain("the history", error)

    def _point(self) -> dict[str, float | int | None]:
        process, markets = self._process, self._markets
        point: dict[str, float | int | None] = known(
            cpu=None if process.cpu is None else round(process.cpu, 3), memory=process.memory
        )
        runtime = self._runtime()
        if runtime is not None:
            late = [loop["late"] for loop in loops(runtime).values()]
            point |= known(late=max(late, default=None))
        if self._trading is None:
            return point
        point |= self._rates
        point |= known(
            frames=round(markets.rate, 1),
            age=None if markets.oldest is None else round(markets.oldest, 2),
            open=len(self._trading.orders),
        )
        for event, name in (("order_submitted", "tick_to_trade"), ("order_acknowledged", "acknowledged")):
            watch = self.memory.watches.get(event)
            told = None if watch is None else summary(watch, 5)
            if told is not None:
                point[name] = told[4]
        for (_, currency), session in self.memory.session.copy().items():
            key = f"pnl {words(currency, 12)}"
            point[key] = round(float(session or 0) + (point.get(key) or 0), 6)
        return point

    # What is shown

    async def _update(self, hub: Hub, *, slow: bool) -> None:
        began = time.thread_time()
        hub.drop_the_silent()
        slow = slow or not self._sections
        if slow:
            await self._read_traces()
        sections = dict(self._sections)
        for place, (name, build) in enumerate(self._builders(slow=slow)):
            if place % _BETWEEN_RESTS == 0:
                await asyncio.sleep(0)  # so that the bot's thread gets its turn
            try:
                sections[name] = build()
            except Exception as error:
                self._complain(name, error)
                sections.pop(name, None)
        sections["verdict"] = verdict(sections)
        self._sections = sections
        hub.publish(sections)
        self._cost += 0.05 * ((time.thread_time() - began) * 1e3 - self._cost)

    async def _read_traces(self) -> None:
        try:
            await self.traces.read()
        except Exception as error:
            self._complain("traces", error)

    def _builders(self, *, slow: bool) -> list[tuple[str, Callable[[], Any]]]:
        source, trading, memory = self._source, self._trading, self.memory
        runtime = self._runtime()
        builders: list[tuple[str, Callable[[], Any]]] = [
            ("emergency", lambda: wellbeing.emergency(source.emergency.state)),
            ("alerts", lambda: wellbeing.alerts(source.alerts)),
            ("latency", lambda: self._latencies.rows(memory)),
        ]
        if trading is not None:
            builders += [
                ("orders", lambda: {**orders(trading, memory), "rates": self._rates}),
                ("executions", self._tables.executions),
                ("money", self._tables.money),
                ("risk", self._tables.risk),
                ("connections", self._tables.connections),
            ]
        if runtime is not None:
            builders.append(("loops", lambda: loops(runtime)))
        if slow:
            builders += [
                ("health", lambda: wellbeing.health(source.health.report())),
                ("delivery", self._delivery),
                ("about", self._about),
                ("process", self._process.section),
                ("traces", self.traces.rows),
                *([] if trading is None else [("feeds", lambda: self._markets.feeds(trading))]),
                ("followed", lambda: self._latencies.follow(source.meter, trading, runtime)),
            ]
        return builders

    def _delivery(self) -> Tree:
        self._status = self._source.status(probe=False)
        return delivery(self._status, self._unreachable)

    def _about(self) -> Tree:
        """Whose page it is, and what there is to be seen on it."""
        settings, status = self._source.settings, self._status
        if status is None:
            return {}
        to_files = settings.log_file or settings.log_errors_file or settings.log_console != "none"
        return known(
            service=words(status.service),
            profile=words(status.profile),
            engine=words(status.engine),
            **_PROGRAM,
            pid=os.getpid(),
            started=milliseconds(self._started_ns),
            watchers=len(self.hub),
            cost=round(self._cost, 1),
            updates=UPDATES,
            traces=settings.traces_enabled and settings.engine == "native" and bool(status.targets["traces"]),
            logs=settings.logs_enabled and bool(status.targets["logs"] or to_files),
        )

    def _runtime(self) -> Runtime | None:
        runtime = self._source.companions.runtime
        return runtime if runtime is not None and runtime.running else None

    def _complain(self, what: str, error: Exception) -> None:
        """Once a part: it costs itself."""
        if what not in self._failed:
            self._failed.add(what)
            report(f"{what} cannot be shown on the live page: {type(error).__name__}: {error}")
