"""Whether the bot may be given work, by its own word."""

from __future__ import annotations


class Readiness:
    """What was said of being ready.

    Until something else is said the bot is ready, or, where it is to be awaited, not before it says so.

    >>> readiness = Readiness()
    >>> readiness.reasons(awaited=False), readiness.reasons(awaited=True)
    ((), ('the bot has not said that it is ready',))
    """

    def __init__(self) -> None:
        self._said: bool | None = None
        self._reason = ""
        self.ending = ""
        """Why it ends; empty while it does not."""

    def ready(self) -> None:
        """It is."""
        self._said, self._reason = True, ""

    def not_ready(self, reason: str) -> None:
        """It is not."""
        self._said, self._reason = False, f"{reason}" or "the bot says so"

    def reasons(self, *, awaited: bool) -> tuple[str, ...]:
        """Why it is not, in words."""
        found = [f"it ends: {self.ending}"] if self.ending else []
        if self._said is False:
            found.append(self._reason)
        elif self._said is None and awaited:
            found.append("the bot has not said that it is ready")
        return tuple(found)
