from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass
class Board:
    uid: str
    number: int
    classic: dict[str, Any]
    folder: str = ""
    version: int = 1
    stored: str = "v1beta1"
    native: dict[str, Any] | None = None
    provisioned: bool = False
    message: str = ""
    messages: list[str] = field(default_factory=list)


@dataclass
class State:
    """What a Grafana's database holds."""

    version: str
    boards: dict[str, Board] = field(default_factory=dict)
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    intervals: dict[tuple[str, str], int] = field(default_factory=dict)
    contacts: dict[str, dict[str, Any]] = field(default_factory=dict)
    policies: dict[str, Any] = field(default_factory=lambda: {"receiver": "grafana-default-email"})
    mute_timings: dict[str, dict[str, Any]] = field(default_factory=dict)
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: set[str] = field(default_factory=lambda: {"prometheus", "loki", "jaeger"})
    migrates: Callable[[dict[str, Any]], object] | None = None
    """What this version makes of each dashboard that is saved."""
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


class Refused(Exception):  # noqa: N818 - an answer, not an error of the test
    """An answer of 400 or more."""

    def __init__(self, code: int, message: str, /, **more: Any) -> None:
        super().__init__(message)
        self.code = code
        self.body = {"message": message, **more}
