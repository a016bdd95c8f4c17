"""The state of telemetry at one moment, for people and for the ops server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.export.destination import Signal
    from otel_trading.export.ledger import Account


@dataclass(frozen=True, slots=True)
class SpoolStatus:
    """What waits to be delivered: bytes on the disk and in memory, and the age of the oldest of it in seconds.

    ``folder`` is ``None`` where all of it is in memory; ``trouble`` says why the disk cannot be used.
    """

    folder: str | None
    disk_bytes: int
    memory_bytes: int
    age: float
    trouble: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """The state of telemetry at one moment.

    ``signals`` holds, for traces, metrics and logs, what was emitted, sent, is pending and was dropped by reason.
    ``targets`` says where each goes; ``unreachable`` lists receivers that accept no connection.
    """

    service: str
    profile: str
    engine: str
    ops_url: str | None
    targets: Mapping[Signal, tuple[str, ...]]
    unreachable: tuple[str, ...]
    signals: Mapping[Signal, Account]
    spool: SpoolStatus | None
    problems: tuple[str, ...]

    @property
    def sent(self) -> int:
        """Items of all signals that receivers confirmed."""
        return sum(account.sent for account in self.signals.values())

    @property
    def dropped(self) -> int:
        """Items of all signals that are lost."""
        return sum(account.lost for account in self.signals.values())
