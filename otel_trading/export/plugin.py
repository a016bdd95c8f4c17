"""What goes to any other exporter: the console's, or one that a package brings by entry point."""

from __future__ import annotations

import contextlib
import time
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from otel_trading.export import bounded
from otel_trading.settings import report

if TYPE_CHECKING:
    from otel_trading.export.destination import Signal
    from otel_trading.export.feeder import Safe
    from otel_trading.export.ledger import Lane, Ledger

_PARTING = 1.0
"""Seconds an exporter may take to shut down, beyond what its deliveries were given."""

GROUPS: dict[Signal, str] = {
    "traces": "opentelemetry_traces_exporter",
    "metrics": "opentelemetry_metrics_exporter",
    "logs": "opentelemetry_logs_exporter",
}


class PluginTaker:
    """Takes what an exporter of opentelemetry-sdk's interface exports; what it raises is a refusal."""

    def __init__(self, name: str, exporter: Any, ledger: Ledger) -> None:  # noqa: ANN401 - exporters share no base class
        self.target = name
        self._exporter = exporter
        self._ledger = ledger
        self._refused = False
        self._closed = False

    def take(self, batch: Any, count: int, lane: Lane, safe: Safe | None = None) -> None:  # noqa: ANN401
        """See ``Taker``; nothing here outlives the process."""
        reason = self._exported(batch)
        if reason is None:
            self._ledger.sent(count)
        else:
            self._ledger.dropped("refused", count, lane)
            self._ledger.failed(reason)
            if not self._refused:
                report(f"{self._ledger.signal}: {self.target} refuses items: {reason}; they are dropped")
        self._refused = reason is not None

    def _exported(self, batch: Any) -> str | None:  # noqa: ANN401
        """Hand the batch to the exporter and take its word; why it was not exported."""
        try:
            exported = self._exporter.export(batch).name == "SUCCESS"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return None if exported else f"exporter {self.target} failed"

    def flush(self, deadline: float) -> bool:
        """See ``Taker``: what was taken is exported already."""
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
            self._exporter.shutdown()


def load(signal: Signal, name: str) -> Any:  # noqa: ANN401 - a class found by name
    """The exporter class an installed package offers under a name; ``LookupError`` names those there are."""
    found = entry_points(group=GROUPS[signal])
    for entry in found:
        if entry.name == name:
            return entry.load()
    raise LookupError(", ".join(sorted({entry.name for entry in found} | {"otlp", "none"})))
