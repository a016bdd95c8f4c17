"""What the manager asks of whoever delivers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.alerts.channels.base import Channel
    from otel_trading.alerts.model import AlertPayload, Notification


class Delivers(Protocol):
    """Delivers notifications; there is one in a process."""

    def post(self, notification: Notification) -> None:
        """Take one, from any thread; never raises and never waits."""

    def deliveries(self) -> Sequence[Any]:
        """What became of those it took, the newest first."""
        ...

    def acknowledged(self, alert: AlertPayload) -> None:
        """Somebody looks after an alert."""

    def add(self, channel: Channel) -> None:
        """Have one channel more."""
