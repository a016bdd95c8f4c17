"""How handing a message over ends."""

from __future__ import annotations

from dataclasses import dataclass


class ChannelError(Exception):
    """A notification was not delivered; the message says why, without secrets."""


class RefusedError(ChannelError):
    """The service does not take it, and will not."""


class LaterError(ChannelError):
    """The service did not take it, and may later; after so many ``seconds`` if it says so."""

    def __init__(self, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


class UnansweredError(ChannelError):
    """It was handed over, and nobody said that it arrived."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a service says of a message that it took.

    Args:
        thread: what later messages about the same alert refer to.
        pause: seconds in which it takes no other.

    """

    thread: str | None = None
    pause: float = 0.0
