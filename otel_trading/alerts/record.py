"""What became of notifications."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from datetime import datetime

    from otel_trading.alerts.model import AlertLevel

Outcome = Literal["sent", "failed", "suppressed", "uncertain"]
"""``suppressed`` was not worth a message of its own; ``uncertain`` was handed over, and nobody said that it arrived."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a notification on one channel.

    Args:
        time: when that was clear, UTC.
        channel: the channel's name.
        key: the alert's key.
        kind: why it was told: ``first``, ``escalation``, ``reminder``, ``resolved`` or ``test``.
        level: how serious it is.
        outcome: what became of it.
        attempts: how often it was tried.
        latency: seconds from the notification to this.
        error: what was in the way, without secrets.
        id: the notification's id.

    """

    time: datetime
    channel: str
    key: str
    kind: str
    level: AlertLevel
    outcome: Outcome
    attempts: int = 0
    latency: float = 0.0
    error: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """How a channel is.

    Args:
        name: what it is called.
        kind: ``slack``, ``telegram`` and so on.
        level: the least serious level that it is told.
        waiting: notifications that wait for it.
        failing: what was in the way at the last attempt; empty when it worked.

    """

    name: str
    kind: str
    level: AlertLevel
    waiting: int
    failing: str
