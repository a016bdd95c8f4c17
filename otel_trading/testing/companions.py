"""What works beside a bot in threads of its own: not started during a capture, and held if it runs."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from unittest import mock

from otel_trading.companions import Companions
from otel_trading.metrics.event_collector import MetricsCollector
from otel_trading.metrics.timers import Timers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.telemetry import Telemetry


@contextmanager
def held(handle: Telemetry | None) -> Iterator[None]:
    """No runtime telemetry and no pump inside the block; timers and events work, and start at zero."""
    runtime = handle.companions.runtime if handle is not None and handle.delivering else None
    pumping = handle is not None and handle.timers._thread is not None  # noqa: SLF001 - the kit's own
    if runtime is not None:
        runtime.stop()
    if handle is not None:
        handle.timers.stop()
    try:
        with ExitStack() as stack:
            stack.enter_context(mock.patch.object(Companions, "_start_runtime"))
            stack.enter_context(mock.patch.object(Companions, "stop"))
            stack.enter_context(mock.patch.object(Timers, "_start"))
            stack.enter_context(_events())
            yield
    finally:
        if handle is not None and runtime is not None:
            handle.companions.start(handle.meter, handle.settings)
        if handle is not None and pumping:
            handle.timers.start()


def begin_at_zero(handle: Telemetry) -> None:
    """Forget what timers measured, whose pump must not run, and the orders and positions of another test."""
    handle.forget_trading()
    handle.queues.forget()
    handle.timers._registry.reset()  # noqa: SLF001 - the kit's own
    handle.timers.pump.reset_in_child()


@contextmanager
def _events() -> Iterator[None]:
    collector = MetricsCollector()
    options, enabled = collector.options, collector.enabled
    collector.reset()
    try:
        yield
    finally:
        collector.reset()
        collector.configure(options)
        collector.enabled = enabled
