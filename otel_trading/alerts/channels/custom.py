"""Channels that the bot brings along."""

from __future__ import annotations

import inspect
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic.dataclasses import dataclass

from otel_trading.alerts.channels.base import CONFIG, Channel
from otel_trading.alerts.channels.errors import ChannelError, LaterError, Receipt
from otel_trading.alerts.channels.threads import in_thread
from otel_trading.alerts.pace import Rate

if TYPE_CHECKING:
    from otel_trading.alerts.rendering import Rendered


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Custom(Channel):
    """Has an object of the bot's own send; when it raises it is asked again later.

    Args:
        channel: whatever has ``send(alert)``, a coroutine or not.

    """

    kind: ClassVar[str] = "custom"
    folds: ClassVar[bool] = False
    rate: ClassVar[Rate] = Rate(burst=50, per_minute=300)

    channel: Any = field(repr=False)

    async def deliver(self, message: Rendered, thread: str | None = None) -> Receipt:
        """Have it send the alert; what is no coroutine gets a thread, as it may block."""
        send = self.channel.send
        try:
            if inspect.iscoroutinefunction(send):
                await send(message.alert)
            else:
                sent = await in_thread(send, message.alert, name="custom")
                if inspect.isawaitable(sent):
                    await sent
        except ChannelError:
            raise
        except Exception as error:
            raise LaterError(f"{type(error).__name__}: {error}") from None
        return Receipt()
