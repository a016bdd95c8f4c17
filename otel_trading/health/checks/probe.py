"""What asks a dependency how it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from otel_trading import redaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

_HIDDEN = "[redacted:password]"


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks one thing; returns details, or raises when it is not well.

    Args:
        kind: ``redis``, ``postgres``, ``http``, ``websocket``, ``tcp``, ``dns``, ``collector``.
        address: where it is, without secrets.
        ask: what does it.
        secrets: texts that may not be shown.

    """

    kind: str
    address: str
    ask: Callable[[], Awaitable[Mapping[str, object] | None]]
    secrets: tuple[str, ...] = field(default=(), repr=False)

    async def __call__(self) -> Mapping[str, object] | None:
        """Ask now."""
        return await self.ask()

    def shown(self, text: str) -> str:
        """A text without the secrets in it.

        >>> from otel_trading.health import redis
        >>> redis("redis://:geheim@localhost").shown("wrong password geheim")
        'wrong password [redacted:password]'
        """
        for secret in self.secrets:
            text = text.replace(secret, _HIDDEN)
        return redaction.redact(text)
