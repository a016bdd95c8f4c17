"""What the interpreter, the process and the machine do to the bot: pauses, stalls, resources, slow operations.

>>> from opentelemetry.metrics import NoOpMeter
>>> runtime = start_runtime(NoOpMeter("bot"), RuntimeOptions(memory_threshold=2e9))
>>> with watch_slow("rebalance", threshold=0.5):
...     pass
>>> runtime.thresholds.limit("process.memory")
2000000000.0
>>> runtime.stop()
True
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from otel_trading.runtime.control import Runtime
from otel_trading.runtime.loop import running_loop
from otel_trading.runtime.options import RuntimeOptions
from otel_trading.runtime.slow import WatchSlow
from otel_trading.runtime.thresholds import Crossing, Direction, Thresholds

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    from opentelemetry.metrics import Meter

    from otel_trading.runtime.slow import SlowOperations

__all__ = [
    "Crossing",
    "Direction",
    "Runtime",
    "RuntimeOptions",
    "Thresholds",
    "start_runtime",
    "watch_loop",
    "watch_slow",
]

_lock = threading.RLock()
_current: Runtime | None = None


def start_runtime(meter: Meter, options: RuntimeOptions | None = None) -> Runtime:
    """Measure this process with the meter's instruments; there is one runtime in a process.

    Called again with the same meter it returns the same runtime, with the new options in force; with another meter
    the old runtime is stopped.
    """
    global _current  # noqa: PLW0603 - callbacks of the collector and classes of loops are the process's own, too
    with _lock:
        if _current is None or _current.meter is not meter:
            if _current is not None:
                _current.stop()
            _current = Runtime(meter)
        _current.start(options or RuntimeOptions())
        return _current


def watch_loop(loop: AbstractEventLoop | None = None) -> bool:
    """Watch an event loop that was running before ``start_runtime``; every other one is found without this.

    Without an argument it is the loop this is called in. True when the loop is watched from now on.
    """
    runtime = _current
    loop = loop or running_loop()
    return runtime is not None and loop is not None and runtime.loops.watch(loop)


def watch_slow(name: str, threshold: float | None = None) -> WatchSlow:
    """Time a ``with`` block, or each call of the function or coroutine function it decorates.

    Its duration is recorded as ``trading.stage.duration``. What takes longer than ``threshold`` seconds (without one:
    ``RuntimeOptions.slow_threshold``) is counted and logged, at most once a minute for a name.

    >>> @watch_slow("rebalance")
    ... def rebalance(): return 7
    >>> rebalance()
    7
    """
    return WatchSlow(name, threshold, _slow_operations)


def _slow_operations() -> SlowOperations | None:
    runtime = _current
    return runtime.slow_operations if runtime is not None and runtime.running else None
