"""Testing what a bot tells people: a channel that keeps alerts instead of sending them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.alerts.model import AlertPayload


class RecordedAlerts:
    """A channel that remembers what it was told.

    >>> import otel_trading as ot
    >>> from otel_trading.alerts.channels import Custom
    >>> from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification
    >>> telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none",
    ...                          ops_port=0, banner=False)
    >>> recorded = RecordedAlerts()
    >>> outbox = telemetry.operations.outbox
    >>> outbox.add(Custom(name="test", channel=recorded))
    >>> outbox.post(Notification(AlertPayload(AlertLevel.ERROR, "venue is gone", ""), ("test",), "first"))
    >>> [alert.title for alert in recorded.wait(1)]
    ['venue is gone']
    >>> telemetry.shutdown()
    True
    """

    def __init__(self, name: str = "recorded") -> None:
        self.name = name
        self._told: list[AlertPayload] = []
        self._changed = threading.Condition()

    @property
    def alerts(self) -> list[AlertPayload]:
        """What it was told so far."""
        with self._changed:
            return list(self._told)

    async def send(self, alert: AlertPayload) -> None:
        """Remember an alert."""
        with self._changed:
            self._told.append(alert)
            self._changed.notify_all()

    def wait(self, count: int, timeout: float = 10.0) -> list[AlertPayload]:
        """What it was told, as soon as these are at least ``count``; ``TimeoutError`` when they do not come."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._told) >= count, timeout):
                raise TimeoutError(f"{len(self._told)} alerts came, not {count}")
            return list(self._told)
