"""A stand-in for the process's lines: it keeps what is written. What becomes of a line is tested elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass
class Written:
    """One line."""

    severity: int
    message: str
    event: str
    service: str
    data: dict[str, Any]
    tags: tuple[str, ...]


@dataclass
class Recording:
    """Takes lines."""

    lines: list[Written] = field(default_factory=list)

    def write(
        self,
        severity: int,
        message: str,
        event: str = "",
        service: str = "",
        data: Mapping[str, object] | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        """Keep one."""
        self.lines.append(Written(severity, message, event, service, dict(data or {}), tuple(tags)))

    @property
    def messages(self) -> list[str]:
        """Of all lines."""
        return [line.message for line in self.lines]
