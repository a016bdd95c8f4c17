"""What was wrong with the configuration: one clear message each, and the bot runs on."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from otel_trading import redaction

_logger = logging.getLogger("otel_trading")


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting that could not be used: where it came from, what it was, what is allowed and what is used instead.

    >>> print(Problem("ops_port", 99999, "a port from 0 to 65535", "8080", source="argument"))
    ops_port=99999 (argument) is not usable; allowed: a port from 0 to 65535; using 8080
    """

    setting: str
    value: object
    allowed: str
    used: str
    source: str

    def __str__(self) -> str:
        value = repr(self.value) if isinstance(self.value, str) else str(self.value)
        said = f"{self.setting}={value} ({self.source}) is not usable; allowed: {self.allowed}; using {self.used}"
        return redaction.redact(said)


def report(*messages: Problem | str) -> None:
    """Log each message once, as a warning of the ``otel_trading`` logger, without the secrets that are in it."""
    for message in messages:
        _logger.warning("otel-trading: %s", redaction.redact(str(message)))
