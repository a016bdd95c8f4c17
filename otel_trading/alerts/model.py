"""What an alert says, and who passes it on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

State = Literal["firing", "resolved", "event"]
"""``event`` is an alert that is over as soon as it is told, such as a large execution."""


class AlertLevel(StrEnum):
    """How serious an alert is, in the order of the declaration."""

    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        """Its place in the order, from 0.

        >>> AlertLevel.ERROR.rank > AlertLevel.WARNING.rank
        True
        """
        return list(AlertLevel).index(self)


@dataclass(frozen=True, slots=True)
class AlertPayload:
    """What a channel is told.

    Args:
        level: how serious it is.
        title: what happened, in a few words.
        message: what is known of it.
        timestamp: when it began, UTC.
        fields: what belongs to it, as texts.
        rule: the rule that it comes from, such as ``stale_data``.
        subject: what it is about where a rule has several: a venue, a subscription, a limit.
        state: whether it begins, is over, or has no duration.

    """

    level: AlertLevel
    title: str
    message: str
    timestamp: datetime = field(default_factory=lambda: datetime.now(UTC))
    fields: Mapping[str, str] = field(default_factory=dict)
    rule: str = ""
    subject: str = ""
    state: State = "event"

    @property
    def key(self) -> str:
        """What tells it from all others: the same problem has the same key.

        >>> AlertPayload(AlertLevel.INFO, "t", "m", rule="stale_data", subject="binance").key
        'stale_data/binance'
        """
        return f"{self.rule}/{self.subject}" if self.subject else self.rule or self.title


class AlertChannel(Protocol):
    """Passes alerts on."""

    name: str

    async def send(self, alert: AlertPayload) -> None:
        """Deliver it; raises when that was not possible."""
        ...


@dataclass(frozen=True, slots=True)
class Notification:
    """What the outbox delivers.

    Args:
        alert: what is told.
        channels: the names of those it goes to.
        kind: why it is told now.
        others: what is grouped with it.
        id: unique; retries of the same notification have the same one.

    """

    alert: AlertPayload
    channels: tuple[str, ...]
    kind: Literal["first", "escalation", "reminder", "resolved", "test"]
    others: tuple[AlertPayload, ...] = ()
    id: str = ""
