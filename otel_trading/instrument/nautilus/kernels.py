"""Having the bus of each kernel heard: of those to come, and of those that are there."""

from __future__ import annotations

import gc
from functools import wraps
from typing import TYPE_CHECKING, Any

from nautilus_trader.system.kernel import NautilusKernel
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_trading.instrument.nautilus.hearing import dismiss, hear
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting

_complaints = Complaints("the instrumentation of nautilus_trader")


def patch(patches: Patches, said: Reporting, data: tuple[str, ...] | None) -> None:
    """Hear the bus of every kernel from the moment that there is one, until this is undone."""
    kernels = Kernels(said, data)
    patches.wrap(NautilusKernel, "__init__", kernels.made)
    patches.wrap(NautilusKernel, "start", kernels.started)
    patches.wrap(NautilusKernel, "start_async", kernels.started)
    patches.wrap(NautilusKernel, "dispose", kernels.disposed)
    patches.afterwards(dismiss)
    for kernel in [each for each in gc.get_objects() if type(each) is NautilusKernel]:
        if kernel.is_running():
            kernels.attend(kernel)


class Kernels:
    """The kernels of engines and nodes."""

    def __init__(self, said: Reporting, data: tuple[str, ...] | None) -> None:
        self._said = said
        self._data = data

    def attend(self, kernel: Any) -> None:  # noqa: ANN401 - nautilus_trader's
        """Hear its bus, if it is not heard yet."""
        try:
            if is_instrumentation_enabled():
                hear(kernel.msgbus, kernel.cache, kernel.clock, self._said, self._data, _ids(kernel))
        except Exception as error:  # the kernel works without us
            _complaints.say(f"this kernel is not heard: {type(error).__name__}: {error}")

    def made(self, init: Callable[..., None]) -> Callable[..., None]:
        """A kernel is complete."""

        @wraps(init)
        def initialized(own: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            init(own, *args, **kwargs)
            self.attend(own)

        return initialized

    def started(self, start: Callable[..., Any]) -> Callable[..., Any]:
        """A kernel starts, which was perhaps made before there was an instrumentation."""

        @wraps(start)
        def starting(own: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            self.attend(own)
            return start(own, *args, **kwargs)

        return starting

    def disposed(self, dispose: Callable[..., None]) -> Callable[..., None]:
        """A kernel has said its last."""

        @wraps(dispose)
        def disposing(own: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
            try:
                dispose(own, *args, **kwargs)
            finally:
                dismiss(own.msgbus)

        return disposing


def _ids(kernel: Any) -> list[str]:  # noqa: ANN401
    """What has said something already: a pattern does not bring topics that were said before there was a hearer."""
    components = [kernel.trader, kernel.data_engine, kernel.risk_engine, kernel.exec_engine]
    components += [*kernel.trader.actors(), *kernel.trader.strategies()]
    return [f"{each.id}" for each in components]
