"""Messages about instruments: each is said once, and never more than a screenful in total."""

from __future__ import annotations

from otel_trading.settings import report

_AT_MOST = 50


class Complaints:
    """Reports a message the first time it comes up."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def say(self, message: str) -> None:
        """Report it, unless it was or too many were."""
        if message in self._said or len(self._said) > _AT_MOST:
            return
        self._said.add(message)
        if len(self._said) > _AT_MOST:
            report("more instruments have problems, which are not reported")
        else:
            report(message)
