"""Senders over any other exporter: the console's, or one that a package brings by entry point."""

from __future__ import annotations

import contextlib
import time
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from otel_trading.export import bounded
from otel_trading.export.delivery import Delivery, Outcome, Receiver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.export.destination import Signal

Item = TypeVar("Item")

_PARTING = 1.0
"""Seconds an exporter may take to shut down, beyond what its deliveries were given."""

GROUPS: dict[Signal, str] = {
    "traces": "opentelemetry_traces_exporter",
    "metrics": "opentelemetry_metrics_exporter",
    "logs": "opentelemetry_logs_exporter",
}


class PluginSender(Generic[Item]):
    """Delivers through an exporter of opentelemetry-sdk's interface; what it raises is a refusal."""

    def __init__(self, name: str, exporter: Any) -> None:  # noqa: ANN401 - exporters share no base class
        self.target = name
        self.receiver = Receiver(name)
        self.exporter = exporter
        self._closed = False

    def send(self, batch: Sequence[Item]) -> Delivery:
        """Hand the batch to the exporter and take its word."""
        if self.exporter.export(batch).name == "SUCCESS":
            return Delivery(Outcome.SENT)
        return Delivery(Outcome.REFUSED, reason=f"exporter {self.target} failed")

    def reachable(self) -> bool:
        """Unknown, so taken as yes."""
        return True

    def restart_in_child(self) -> None:
        """Leave it to the exporter."""

    def close(self) -> None:
        """Shut the exporter down, once, and leave it alone when it hangs."""
        if not self._closed:
            self._closed = True
            bounded.finished(bounded.start([self._shutdown], "otel-plugin"), time.monotonic() + _PARTING)

    def _shutdown(self) -> None:
        with contextlib.suppress(Exception):
            self.exporter.shutdown()


def load(signal: Signal, name: str) -> Any:  # noqa: ANN401 - a class found by name
    """The exporter class an installed package offers under a name; ``LookupError`` names those there are."""
    found = entry_points(group=GROUPS[signal])
    for entry in found:
        if entry.name == name:
            return entry.load()
    raise LookupError(", ".join(sorted({entry.name for entry in found} | {"otlp", "none"})))
