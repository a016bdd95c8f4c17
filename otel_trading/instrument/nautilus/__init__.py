"""nautilus_trader: what its message bus says of orders, positions, accounts and data becomes trading events.

Everything in it is written for the bus, so the bus is where it is heard: nothing of the engine is replaced, and the
same events come from a ``BacktestEngine`` and from a ``TradingNode``.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, ClassVar

from otel_trading.imports import when_imported
from otel_trading.instrument.instrumentor import Instrumentor

if TYPE_CHECKING:
    from types import ModuleType

    from otel_trading.instrument.nautilus.actor import TelemetryActor, TelemetryActorConfig
    from otel_trading.instrument.patching import Patches
    from otel_trading.instrument.reporting import Reporting

__all__ = ["NautilusInstrumentor", "TelemetryActor", "TelemetryActorConfig"]

_KERNEL = "nautilus_trader.system.kernel"
_ACTOR = f"{__name__}.actor"


class NautilusInstrumentor(Instrumentor):
    """Hears the message bus of each ``BacktestEngine`` and ``TradingNode``, also of those that are there already.

    ``instrument()`` takes ``data``, patterns of topics such as ``data.quotes.*`` whose messages are counted as market
    data; when not given, a live node's quotes, trades, books and bars are, and a backtest's are not.
    """

    packages: ClassVar[tuple[str, ...]] = ("nautilus_trader >= 1.200",)

    def _patch(self, patches: Patches, said: Reporting, **given: Any) -> None:  # noqa: ANN401 - the contract's
        data = given.get("data")
        patterns = None if data is None else tuple(data)

        def ready(_: ModuleType) -> None:
            from otel_trading.instrument.nautilus.kernels import patch

            patch(patches, said, patterns)

        patches.afterwards(when_imported(_KERNEL, ready))


def __getattr__(name: str) -> Any:  # noqa: ANN401 - classes
    """The actor needs nautilus_trader, which the instrumentation itself does not import."""
    if name not in {"TelemetryActor", "TelemetryActorConfig"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(sys.modules.get(_ACTOR) or import_module(_ACTOR), name)
