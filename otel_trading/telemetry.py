"""The handle that ``configure()`` returns."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from opentelemetry._logs import Logger
    from opentelemetry.metrics import CallbackOptions, Meter, Observation
    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Tracer

    from otel_trading.export.added import Added
    from otel_trading.export.destination import Signal
    from otel_trading.export.ledger import Account
    from otel_trading.instrument.registry import Undo
    from otel_trading.logs.bridge import Bridge
    from otel_trading.logs.switch import SwitchLoggerProvider
    from otel_trading.metrics.switch import SwitchMeterProvider
    from otel_trading.ops.server import OpsServer
    from otel_trading.pipeline import Pipeline
    from otel_trading.settings import Resolved, Settings
    from otel_trading.tracing.switch import SwitchTracerProvider

SCOPE = "otel_trading"


@dataclass(frozen=True, slots=True)
class Status:
    """The state of telemetry at one moment.

    ``signals`` holds, for traces, metrics and logs, what was emitted, sent, is pending and was dropped by reason.
    ``targets`` says where each goes; ``unreachable`` lists receivers that accept no connection.
    """

    service: str
    profile: str
    engine: str
    ops_url: str | None
    targets: Mapping[Signal, tuple[str, ...]]
    unreachable: tuple[str, ...]
    signals: Mapping[Signal, Account]
    problems: tuple[str, ...]

    @property
    def sent(self) -> int:
        """Items of all signals that receivers confirmed."""
        return sum(account.sent for account in self.signals.values())

    @property
    def dropped(self) -> int:
        """Items of all signals that are lost."""
        return sum(account.lost for account in self.signals.values())


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
        self._draining: list[threading.Thread] = []

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

    def observe_itself(self) -> None:
        """Report what telemetry itself does, as metrics; once, the registration survives reconfiguration."""
        self.meter.create_observable_counter(
            "trading.telemetry.events", [self._events], "{event}", "Items handed to telemetry, by signal."
        )
        self.meter.create_observable_counter(
            "trading.telemetry.dropped", [self._dropped], "{event}", "Items that were lost, by signal and reason."
        )

    @property
    def settings(self) -> Settings:
        """The options in force."""
        return self.resolved.settings

    @property
    def meter(self) -> Meter:
        """A meter for the bot's own instruments."""
        return self.meter_provider.get_meter(SCOPE)

    @property
    def tracer(self) -> Tracer:
        """A tracer for the bot's own spans."""
        return self.tracer_provider.get_tracer(SCOPE)

    @property
    def logger(self) -> Logger:
        """An OpenTelemetry logger; the standard library's ``logging`` is shipped without it."""
        return self.logger_provider.get_logger(SCOPE)

    @property
    def running(self) -> bool:
        """Whether telemetry is delivered; False after ``shutdown``."""
        return self._running

    def flush(self, timeout: float | None = None) -> bool:
        """Deliver what is pending within ``timeout`` seconds for all signals together; True when all went out.

        Without a timeout ``shutdown_timeout`` holds.
        """
        deadline = self._deadline(timeout)
        delivered = [self._pipeline.flush(deadline), *(added.flush(deadline) for added in self._added())]
        return all(delivered)

    def shutdown(self, timeout: float | None = None) -> bool:
        """Deliver what is pending and end all threads within ``timeout`` seconds in total; True when all went out.

        Without a timeout ``shutdown_timeout`` holds. A second call does nothing.
        """
        deadline = self._deadline(timeout)
        with self._lock:
            if not self._running or os.getpid() != self._owner:
                return True
            self._running = False
        self._detach()
        delivered = [self._pipeline.close(deadline), *(added.shutdown(deadline) for added in self._added())]
        for thread in self._draining:
            thread.join(max(0.0, deadline - time.monotonic()))
        if self.ops is not None:
            self.ops.close()
            self.ops = None
        return all(delivered)

    def replace(self, pipeline: Pipeline) -> None:
        """Put another pipeline behind the API; what is pending in the old one is delivered in the background."""
        self._detach()
        old = self._pipeline
        self.meter_provider.use(pipeline.meter_provider, pipeline.ledgers["metrics"])
        self.tracer_provider.use(pipeline.tracer_provider, pipeline.ledgers["traces"])
        self.logger_provider.use(pipeline.logger_provider)
        drain = threading.Thread(target=old.close, args=(self._deadline(None),), name="otel-draining", daemon=True)
        self._draining = [thread for thread in self._draining if thread.is_alive()] + [drain]
        self._pipeline = pipeline
        drain.start()

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
        if self.ops is not None:
            self.ops.abandon_in_child()
            self.ops = None
        if self._running:
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

    def _events(self, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        for signal, account in self._pipeline.accounts().items():
            yield Observation(account.emitted, {"signal": signal})

    def _dropped(self, _: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        for signal, account in self._pipeline.accounts().items():
            if not account.dropped:
                yield Observation(0, {"signal": signal, "reason": "none"})
            for reason, count in account.dropped.items():
                yield Observation(count, {"signal": signal, "reason": reason})
