"""Messages about what a bot calls wrongly: each is said once, and never more than a screenful in total."""

from __future__ import annotations

from otel_trading.settings.problems import report

_AT_MOST = 50


class Complaints:
    """Reports a message about some ``subject`` (instruments, spans) the first time it comes up."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._said: set[str] = set()

    def say(self, message: str) -> None:
        """Report it, unless it was or too many were."""
        if message in self._said or len(self._said) > _AT_MOST:
            return
        self._said.add(message)
        if len(self._said) > _AT_MOST:
            report(f"more {self._subject} have problems, which are not reported")
        else:
            report(message)
