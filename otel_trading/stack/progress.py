"""How the stack tells what it is doing, without knowing where that is shown."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives what happens; the command line draws it, a test ignores it."""

    def begin(self, component: str, doing: str) -> None:
        """Work on ``component`` has begun."""

    def advance(self, component: str, doing: str, done: int, total: int | None) -> None:
        """``done`` of ``total`` steps are behind us; no total while it is not known."""

    def finish(self, component: str, result: str) -> None:
        """Work on ``component`` is over."""


class NoProgress:
    """Shows nothing."""

    def begin(self, component: str, doing: str) -> None:
        """Ignore it."""

    def advance(self, component: str, doing: str, done: int, total: int | None) -> None:
        """Ignore it."""

    def finish(self, component: str, result: str) -> None:
        """Ignore it."""
