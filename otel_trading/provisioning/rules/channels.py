"""The channels on which people are told, and the variables that they take their settings from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Taken = Mapping[str, str]
Settings = Callable[[Taken, str, Mapping[str, str]], dict[str, Any]]
_CHATS = ("critical", "warning", "info")


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """A kind of receiver.

    Args:
        name: what it is called.
        section: its list in Alertmanager's receivers.
        severities: what it is told.
        needs: the variables without which it is not there.
        may: further variables, with their defaults.
        secrets: the variables that are secret, and their files.
        settings: its settings in Alertmanager for what was taken, the folder of secrets, and the templates.
        grafana: its type in Grafana, and its settings there; secrets are ``$VARIABLE``.

    """

    name: str
    section: str
    severities: tuple[str, ...]
    needs: tuple[str, ...]
    may: Mapping[str, str]
    secrets: Mapping[str, str]
    settings: Settings
    grafana: tuple[str, Mapping[str, Any]]

    def taken(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What is set of it; nothing where none of what it needs is.

        Raises:
            ValueError: a part of what it needs is set and another is not.

        """
        given = {name: environment.get(name, "").strip() for name in self.needs}
        if not any(given.values()):
            return {}
        if missing := [name for name, value in given.items() if not value]:
            there = ", ".join(name for name, value in given.items() if value)
            raise ValueError(
                f"{', '.join(missing)}='' is not allowed where {there} is set; allowed is a value, or none of them"
            )
        return {**given, **{name: environment.get(name, "").strip() or default for name, default in self.may.items()}}

    def secret_files(self, taken: Taken) -> dict[str, str]:
        """The files of its secrets."""
        return {file: taken[name] for name, file in self.secrets.items() if taken.get(name)}


def _slack(_: Taken, secrets: str, texts: Mapping[str, str]) -> dict[str, Any]:
    told = {"send_resolved": True, "title": texts["title"], "text": texts["text"]}
    colour = (
        '{{ if ne .Status "firing" }}good'
        '{{ else if eq .CommonLabels.severity "critical" }}danger{{ else }}warning{{ end }}'
    )
    return {"api_url_file": f"{secrets}/slack", **told, "color": colour}


def _telegram(taken: Taken, secrets: str, texts: Mapping[str, str]) -> dict[str, Any]:
    chat = taken["ALERT_TELEGRAM_CHAT_ID"]
    if not chat.removeprefix("-").isdecimal():
        raise ValueError(f"ALERT_TELEGRAM_CHAT_ID={chat!r} is not allowed; allowed is the number of a chat")
    # without a parse mode: what is in a summary is never taken for markup, which Telegram would refuse
    message = {"parse_mode": "", "message": f"{texts['title']}\n{texts['text']}", "send_resolved": True}
    return {"bot_token_file": f"{secrets}/telegram", "chat_id": int(chat), **message}


def _discord(_: Taken, secrets: str, texts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "webhook_url_file": f"{secrets}/discord",
        "send_resolved": True,
        "title": texts["title"],
        "message": texts["text"],
    }


def _pagerduty(_: Taken, secrets: str, texts: Mapping[str, str]) -> dict[str, Any]:
    return {
        "routing_key_file": f"{secrets}/pagerduty",
        "send_resolved": True,
        "description": texts["title"],
        "severity": "{{ .CommonLabels.severity }}",
        "details": {"text": texts["text"]},
    }


def _email(taken: Taken, secrets: str, texts: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "to": taken["ALERT_EMAIL_TO"],
        "from": taken["ALERT_EMAIL_FROM"],
        "smarthost": taken["ALERT_SMTP_HOST"],
        "send_resolved": True,
        "headers": {"Subject": texts["title"]},
        "text": texts["text"],
        "html": "",
    }
    if taken["ALERT_SMTP_USERNAME"]:
        found |= {"auth_username": taken["ALERT_SMTP_USERNAME"], "auth_password_file": f"{secrets}/email"}
    return found


def _webhook(taken: Taken, secrets: str, _: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {"url_file": f"{secrets}/webhook", "send_resolved": True}
    if taken["ALERT_WEBHOOK_TOKEN"]:
        found["http_config"] = {"authorization": {"credentials_file": f"{secrets}/webhook-token"}}
    return found


def _watchdog(_: Taken, secrets: str, __: Mapping[str, str]) -> dict[str, Any]:
    return {"url_file": f"{secrets}/watchdog", "send_resolved": False}


CHANNELS = (
    Channel(
        name="slack",
        section="slack_configs",
        severities=_CHATS,
        needs=("ALERT_SLACK_WEBHOOK_URL",),
        may={},
        secrets={"ALERT_SLACK_WEBHOOK_URL": "slack"},
        settings=_slack,
        grafana=("slack", {"url": "$ALERT_SLACK_WEBHOOK_URL", "title": "title", "text": "text"}),
    ),
    Channel(
        name="telegram",
        section="telegram_configs",
        severities=_CHATS,
        needs=("ALERT_TELEGRAM_BOT_TOKEN", "ALERT_TELEGRAM_CHAT_ID"),
        may={},
        secrets={"ALERT_TELEGRAM_BOT_TOKEN": "telegram"},
        settings=_telegram,
        grafana=(
            "telegram",
            {
                "bottoken": "$ALERT_TELEGRAM_BOT_TOKEN",
                "chatid": "$ALERT_TELEGRAM_CHAT_ID",
                "parse_mode": "None",
                "message": "text",
            },
        ),
    ),
    Channel(
        name="discord",
        section="discord_configs",
        severities=_CHATS,
        needs=("ALERT_DISCORD_WEBHOOK_URL",),
        may={},
        secrets={"ALERT_DISCORD_WEBHOOK_URL": "discord"},
        settings=_discord,
        grafana=("discord", {"url": "$ALERT_DISCORD_WEBHOOK_URL", "title": "title", "message": "text"}),
    ),
    Channel(
        name="pagerduty",
        section="pagerduty_configs",
        severities=("critical",),
        needs=("ALERT_PAGERDUTY_ROUTING_KEY",),
        may={},
        secrets={"ALERT_PAGERDUTY_ROUTING_KEY": "pagerduty"},
        settings=_pagerduty,
        grafana=(
            "pagerduty",
            {
                "integrationKey": "$ALERT_PAGERDUTY_ROUTING_KEY",
                "severity": "{{ .CommonLabels.severity }}",
                "summary": "title",
            },
        ),
    ),
    Channel(
        name="email",
        section="email_configs",
        severities=("critical",),
        needs=("ALERT_EMAIL_TO", "ALERT_EMAIL_FROM", "ALERT_SMTP_HOST"),
        may={"ALERT_SMTP_USERNAME": "", "ALERT_SMTP_PASSWORD": ""},
        secrets={"ALERT_SMTP_PASSWORD": "email"},
        settings=_email,
        grafana=("email", {"addresses": "$ALERT_EMAIL_TO", "subject": "title", "message": "text"}),
    ),
    Channel(
        name="webhook",
        section="webhook_configs",
        severities=_CHATS,
        needs=("ALERT_WEBHOOK_URL",),
        may={"ALERT_WEBHOOK_TOKEN": ""},
        secrets={"ALERT_WEBHOOK_URL": "webhook", "ALERT_WEBHOOK_TOKEN": "webhook-token"},
        settings=_webhook,
        grafana=(
            "webhook",
            {
                "url": "$ALERT_WEBHOOK_URL",
                "httpMethod": "POST",
                "authorization_scheme": "Bearer",
                "authorization_credentials": "$ALERT_WEBHOOK_TOKEN",
            },
        ),
    ),
    Channel(
        name="watchdog",
        section="webhook_configs",
        severities=("watchdog",),
        needs=("ALERT_WATCHDOG_URL",),
        may={},
        secrets={"ALERT_WATCHDOG_URL": "watchdog"},
        settings=_watchdog,
        grafana=("webhook", {"url": "$ALERT_WATCHDOG_URL", "httpMethod": "POST"}),
    ),
)
VARIABLES = tuple(name for channel in CHANNELS for name in (*channel.needs, *channel.may))
"""The variables of all channels."""
