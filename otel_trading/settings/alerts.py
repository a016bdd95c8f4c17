"""The options of alerts."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings

from otel_trading.settings.rows import A_TIME, ANY_TEXT, NAME, SWITCH, FromZero, Positive, Rows, Tables, option

_TABLES = 'tables by name, such as {"desk": {"type": "slack", "webhook_url": "${SLACK_URL}", "level": "WARNING"}}'
_HTTPS = "an https URL, or ${VARIABLE}"

ChatId = Annotated[NAME, BeforeValidator(lambda value: value if value is None else str(value))]
"""Configuration files may have a number."""


class Alerts(BaseSettings):
    """Who is told of what, when, and how."""

    alerts_enabled: bool = option(True, "Alerts: rules on what the bot does, and telling people.", allowed=SWITCH)
    alerts_rules: Tables = option(
        {},
        "What is to be different about rules, by name: `enabled`, `level`, `threshold`, `for`, `channels`, "
        "`escalation` and others (see the page on alerts).",
        allowed="a table by rule; in a variable JSON",
    )
    alerts_routes: Rows = option(
        (),
        "Which alerts go to which channels, by `level` and `rule`; the first that fits decides.",
        allowed="a list of tables with channels, and if need be level and rule; in a variable JSON",
    )
    alerts_group_interval: FromZero = option(
        3.0,
        "Seconds between two notifications of the same rule, unless it is critical; what comes meanwhile is one.",
        allowed="a number from 0 up (seconds)",
    )
    alerts_reminder_interval: Positive = option(
        14_400.0,
        "Time after which an alert is told again that still fires and that nobody acknowledged.",
        allowed=A_TIME,
    )
    alerts_rate: Annotated[int, Field(ge=1)] = option(
        30,
        "Notifications a minute, and as many critical ones; what is more is one digest.",
        allowed="a whole number from 1",
    )
    alerts_folder: NAME | None = option(
        None,
        "Folder of what alerts have to remember: silences, and what is critical and was not delivered when the bot "
        "ended; one below ~/.local/state when not given.",
        allowed="a path",
    )
    # Channels
    alerts_channels: Tables = option(
        {},
        "Who is told, by name: tables with type (slack, telegram, discord, pagerduty, email, webhook) and what that "
        "type needs; in a variable as JSON. The log is always told.",
        allowed=_TABLES,
        secret=True,
    )
    alerts_slack_enabled: bool = option(True, "The channel slack on or off.", allowed=SWITCH)
    alerts_slack_webhook_url: NAME | None = option(
        None, "Incoming webhook of Slack: the channel slack.", allowed=_HTTPS, secret=True
    )
    alerts_slack_bot_token: NAME | None = option(
        None, "Token of a bot of Slack, instead of a webhook.", allowed=ANY_TEXT, secret=True
    )
    alerts_slack_channel: NAME | None = option(
        None, "Where a bot posts; older webhooks obey it too.", allowed="a channel such as #trading"
    )
    alerts_telegram_enabled: bool = option(True, "The channel telegram on or off.", allowed=SWITCH)
    alerts_telegram_bot_token: NAME | None = option(
        None, "Token of a bot of Telegram: the channel telegram.", allowed=ANY_TEXT, secret=True
    )
    alerts_telegram_chat_id: ChatId | None = option(None, "Its chats.", allowed="numbers or @names, comma separated")
    alerts_discord_enabled: bool = option(True, "The channel discord on or off.", allowed=SWITCH)
    alerts_discord_webhook_url: NAME | None = option(
        None, "Webhook of Discord: the channel discord.", allowed=_HTTPS, secret=True
    )
    alerts_pagerduty_enabled: bool = option(True, "The channel pagerduty on or off.", allowed=SWITCH)
    alerts_pagerduty_routing_key: NAME | None = option(
        None, "Integration key of PagerDuty's Events API v2: the channel pagerduty.", allowed=ANY_TEXT, secret=True
    )
    alerts_webhook_enabled: bool = option(True, "The channel webhook on or off.", allowed=SWITCH)
    alerts_webhook_url: NAME | None = option(
        None, "Where alerts are sent as JSON: the channel webhook.", allowed=_HTTPS, secret=True
    )
    alerts_webhook_secret: NAME | None = option(
        None, "What the JSON is signed with (Standard Webhooks).", allowed=ANY_TEXT, secret=True
    )
    alerts_email_enabled: bool = option(True, "The channel email on or off.", allowed=SWITCH)
    alerts_email_host: NAME | None = option(None, "Mail server: the channel email.", allowed="a host")
    alerts_email_sender: NAME | None = option(None, "Who mails are from.", allowed="an address")
    alerts_email_to: NAME | None = option(None, "Who gets mails.", allowed="addresses, comma separated")
    alerts_email_username: NAME | None = option(None, "Who logs in at the mail server.", allowed=ANY_TEXT)
    alerts_email_password: NAME | None = option(None, "With what.", allowed=ANY_TEXT, secret=True)

    @property
    def has_channels(self) -> bool:
        """Whether anybody but the log is to be told."""
        needed = ("slack_webhook_url", "slack_bot_token", "telegram_bot_token", "discord_webhook_url")
        others = ("pagerduty_routing_key", "webhook_url", "email_host")
        return bool(self.alerts_channels) or any(getattr(self, f"alerts_{name}") for name in (*needed, *others))
