"""What all channels have in common."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import field
from typing import Annotated, ClassVar, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints
from pydantic.dataclasses import dataclass

from otel_trading import redaction
from otel_trading.alerts.channels.errors import Receipt, RefusedError
from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification
from otel_trading.alerts.pace import Rate
from otel_trading.alerts.rendering import Rendered, render

Kind = Literal["first", "escalation", "reminder", "resolved", "test"]
CONFIG = ConfigDict(extra="forbid", hide_input_in_errors=True, str_strip_whitespace=True, arbitrary_types_allowed=True)

_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")
_SHORTEST_SECRET = 6
_REASON = 300


def safe_url(value: str) -> str:
    """An https URL; http only to this host.

    >>> safe_url("http://127.0.0.1:9000/hook")
    'http://127.0.0.1:9000/hook'
    >>> safe_url("http://hooks.example.com/hook")
    Traceback (most recent call last):
    ValueError: has to be an https URL (http only to this host)
    """
    reason = "has to be an https URL (http only to this host)"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(reason) from None
    plain = parts.scheme == "http" and is_this_host(host)
    if not host or not (parts.scheme == "https" or plain) or not value.isprintable() or " " in value:
        raise ValueError(reason)
    return value


def is_this_host(host: str) -> bool:
    """Whether a host's name or address is this one's."""
    return _LOOPBACK.fullmatch(host) is not None


Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Secret = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Url = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(safe_url)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Channel(ABC):
    """Tells people by one service.

    Args:
        name: what it is called in the configuration, in routes and in metrics.
        level: the least serious level that it is told.
        timeout: seconds that one attempt may take.
        give_up_after: seconds after which a notification is no longer tried.
        per_minute: messages a minute, when it is not to be what the service takes.
        retry_unanswered: whether what nobody answered is sent again, at the risk that it comes twice.

    """

    kind: ClassVar[str] = ""
    keyed: ClassVar[bool] = False
    """Whether the service knows a message again by its id, so that sending it again does not double it."""
    folds: ClassVar[bool] = True
    """Whether many messages may become one."""
    acknowledges: ClassVar[bool] = False
    """Whether it has a word for "somebody looks after it"."""
    rate: ClassVar[Rate] = Rate(burst=10, per_minute=60)
    hidden: ClassVar[tuple[str, ...]] = ()
    """The settings that are secrets."""

    name: Text
    level: AlertLevel = AlertLevel.INFO
    timeout: Seconds = 10.0
    give_up_after: Seconds = 900.0
    per_minute: Seconds | None = None
    retry_unanswered: bool = False
    service: str = field(default="", compare=False)

    @abstractmethod
    async def deliver(self, message: Rendered, thread: str | None = None) -> Receipt:
        """Hand one message over; ``thread`` is what the first one about the same alert gave back.

        Raises:
            RefusedError: it will not be taken.
            LaterError: it was not taken now.
            UnansweredError: nobody knows.

        """

    async def acknowledge(self, message: Rendered) -> Receipt:
        """Say that somebody looks after an alert."""
        raise RefusedError("it has no word for that")

    async def send(self, alert: AlertPayload) -> None:
        """Deliver one alert, at the first attempt; raises when that was not possible."""
        kind: Kind = "resolved" if alert.state == "resolved" else "first"
        await self.deliver(render(Notification(alert, (self.name,), kind), self.service))

    @property
    def pace(self) -> Rate:
        """How fast it is told."""
        if self.per_minute is None:
            return self.rate
        return Rate(max(1, min(self.rate.burst, int(self.per_minute))), self.per_minute)

    @property
    def patience(self) -> float:
        """Seconds after which an attempt is broken off from outside, should it not keep to its own."""
        return 1.5 * self.timeout + 1.0

    @property
    def repeats(self) -> bool:
        """Whether what nobody answered is sent again."""
        return self.keyed or self.retry_unanswered

    def secrets(self) -> frozenset[str]:
        """What must not be seen, in every form that it may have in a message of an error."""
        found: set[str] = set()
        for name in self.hidden:
            value = getattr(self, name)
            for text in value.values() if isinstance(value, dict) else (value,):
                if isinstance(text, str) and text:
                    found |= _forms(text)
        return frozenset(found)

    def cleaned(self, text: object) -> str:
        """A text in one line, without this channel's secrets or others."""
        shown = " ".join(str(text).split())
        for secret in sorted(self.secrets(), key=len, reverse=True):
            shown = shown.replace(secret, "****")
        return redaction.redact(shown)[:_REASON]


def _forms(secret: str) -> set[str]:
    """A secret, its parts if it is a URL, and both as they stand in URLs."""
    parts = {secret}
    if "://" in secret:
        split = urlsplit(secret)
        parts |= {split.path, split.query, *split.path.split("/"), split.password or "", split.username or ""}
    parts = {part for part in parts if len(part) >= _SHORTEST_SECRET}
    return parts | {quote(part, safe="") for part in parts} | {quote(part) for part in parts}
