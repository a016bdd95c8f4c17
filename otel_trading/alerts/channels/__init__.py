"""Channels: who is told, and how each service wants to be told.

Each has a module here, that knows the service's format and limits, and whether sending again doubles a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.alerts.channels.base import Channel
    from otel_trading.alerts.channels.custom import Custom
    from otel_trading.alerts.channels.discord import Discord
    from otel_trading.alerts.channels.email import Email
    from otel_trading.alerts.channels.errors import (
        ChannelError,
        LaterError,
        Receipt,
        RefusedError,
        UnansweredError,
    )
    from otel_trading.alerts.channels.pagerduty import PagerDuty
    from otel_trading.alerts.channels.slack import Slack
    from otel_trading.alerts.channels.telegram import Telegram
    from otel_trading.alerts.channels.webhook import Webhook

__all__ = [
    "KINDS",
    "Channel",
    "ChannelError",
    "Custom",
    "Discord",
    "Email",
    "LaterError",
    "PagerDuty",
    "Receipt",
    "RefusedError",
    "Slack",
    "Telegram",
    "UnansweredError",
    "Webhook",
]

KINDS = {
    "slack": "Slack",
    "telegram": "Telegram",
    "discord": "Discord",
    "pagerduty": "PagerDuty",
    "email": "Email",
    "webhook": "Webhook",
}
"""The classes of the kinds that can be configured."""

_ENDS = ("ChannelError", "LaterError", "Receipt", "RefusedError", "UnansweredError")
_HOMES = (
    {name: kind for kind, name in KINDS.items()}
    | {"Custom": "custom", "Channel": "base"}
    | dict.fromkeys(_ENDS, "errors")
)


def __getattr__(name: str) -> object:
    """Import only what is asked for."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
