"""From the configuration to channels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from otel_trading.alerts.channels import Discord, Email, PagerDuty, Slack, Telegram, Webhook
from otel_trading.alerts.channels.building import build
from otel_trading.alerts.model import AlertLevel
from otel_trading.cli.commands import cli
from otel_trading.settings import resolve

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading.alerts.channels import Channel

HOOK = "https://hooks.slack.com/services/T0/B0/sEcReT"


def built(variables: dict[str, str] | None = None, **options: Any) -> tuple[dict[str, Channel], list[str]]:
    resolved = resolve(options, variables=variables or {})
    channels, problems = build(resolved.settings, "basis-bot", variables or {})
    return {channel.name: channel for channel in channels}, [*map(str, resolved.problems), *problems]


def from_file(path: Path, text: str, variables: dict[str, str] | None = None) -> tuple[dict[str, Channel], list[str]]:
    path.write_text(text, "utf-8")
    return built(variables, config_file=path)


def test_yaml_of_the_requirement_is_understood(tmp_path: Path) -> None:
    """The schema as it stands there, with both channels switched on."""
    text = """
alerts:
  slack:
    enabled: true
    webhook_url: "https://hooks.slack.com/services/T0/B0/sEcReT"
    channel: "#trading-alerts"
  telegram:
    enabled: true
    bot_token: "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw7"
    chat_id: -1001234567890
"""
    channels, problems = from_file(tmp_path / "config.yaml", text)
    assert problems == []
    slack, telegram = channels["slack"], channels["telegram"]
    assert isinstance(slack, Slack)
    assert (slack.webhook_url, slack.channel) == (HOOK, "#trading-alerts")
    assert isinstance(telegram, Telegram)
    assert telegram.chat_id == ("-1001234567890",)
    off, problems = from_file(tmp_path / "off.yaml", text.replace("enabled: true", "enabled: false"))
    assert (off, problems) == ({}, [])


def test_any_number_by_name(tmp_path: Path) -> None:
    """Several of a type, secrets from the environment."""
    text = """
[alerts.channels.desk]
type = "slack"
webhook_url = "${SLACK_URL}"
level = "warning"

[alerts.channels.desk-2]
type = "slack"
bot_token = "xoxb-${PART}"
channel = "C1"

[alerts.channels.phone]
type = "telegram"
bot_token = "1:a"
chat_id = [-1, "@desk"]

[alerts.channels.pager]
type = "pagerduty"
routing_key = "0123456789abcdef0123456789abcdef"
level = "CRITICAL"

[alerts.channels.guild]
type = "discord"
webhook_url = "https://discord.com/api/webhooks/1/x"

[alerts.channels.mail]
type = "email"
host = "smtp.example.com"
from = "bot@example.com"
to = ["a@example.com", "b@example.com"]

[alerts.channels.hook]
type = "webhook"
url = "https://example.com/in"
headers = { Authorization = "Bearer ${TOKEN}" }
per_minute = 10
"""
    channels, problems = from_file(tmp_path / "c.toml", text, {"SLACK_URL": HOOK, "PART": "abc", "TOKEN": "t"})
    assert problems == []
    kinds = [Slack, Slack, Telegram, PagerDuty, Discord, Email, Webhook]
    assert list(map(type, channels.values())) == kinds
    assert channels["desk"].level is AlertLevel.WARNING
    hook, second = channels["hook"], channels["desk-2"]
    assert isinstance(hook, Webhook)
    assert isinstance(second, Slack)
    assert hook.headers == {"Authorization": "Bearer t"}
    assert hook.pace.per_minute == 10
    assert second.bot_token == "xoxb-abc"
    assert channels["desk"].service == "basis-bot"


def test_environment_is_enough() -> None:
    """One channel of each type by variables, any number by JSON in one."""
    channels, problems = built(
        {
            "OTEL_TRADING_ALERTS_SLACK_WEBHOOK_URL": HOOK,
            "OTEL_TRADING_ALERTS_CHANNELS": json.dumps({"ops": {"type": "webhook", "url": "https://a.example/"}}),
            "OTEL_TRADING_ALERTS_EMAIL_HOST": "smtp.example.com",
            "OTEL_TRADING_ALERTS_EMAIL_SENDER": "bot@example.com",
            "OTEL_TRADING_ALERTS_EMAIL_TO": "a@example.com, b@example.com",
        }
    )
    assert problems == []
    assert channels.keys() == {"slack", "ops", "email"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"type": "slack"}, "needs webhook_url, or bot_token and channel"),
        ({"type": "slack", "webhook_url": "http://x.example/sEcReT"}, "webhook_url has to be an https URL"),
        ({"type": "slack", "webhook_url": HOOK, "chanel": "sEcReT"}, "chanel is no setting of this type"),
        ({"type": "slack", "webhook_url": "${NOT_THERE}"}, "webhook_url asks for the environment variable NOT_THERE"),
        ({"type": "pager"}, "type is 'pager'; allowed: slack, telegram, discord, pagerduty, email, webhook"),
        ({"type": "telegram", "bot_token": "sEcReT/../x", "chat_id": "1"}, "bot_token does not look like one"),
        ({"type": "telegram", "bot_token": "1:a"}, "chat_id is missing"),
        ({"type": "pagerduty", "routing_key": "sEcReT"}, "routing_key does not look like one"),
        ({"type": "webhook", "url": "https://a.example", "level": "LOUD"}, "level "),
        ({"type": "webhook", "url": "https://a.example", "headers": {"A\nB": "sEcReT"}}, "headers have to be names"),
        (
            {"type": "email", "host": "h.example", "sender": "b@x.example", "to": "a@x.example", "security": "none"}
            | {"username": "u", "password": "sEcReT"},
            "a password is sent only with security starttls or tls",
        ),
        ({"type": "email", "host": "h", "sender": "nobody", "to": "a@x.example"}, "sender has to be an address"),
        ("slack", "it is no table"),
        (5, "it is no table"),
    ],
)
def test_bad_channel_is_left_out_with_one_message(table: Any, message: str) -> None:
    """The message names the channel and the setting and holds no value; the others work."""
    good = {"type": "slack", "webhook_url": HOOK}
    channels, problems = built(alerts_channels={"bad": table, "good": good})
    assert list(channels) == ["good"]
    (said,) = problems
    assert said.startswith("alerts_channels bad is left out: ")
    assert message in said
    assert "sEcReT" not in said


def test_log_is_nobodys_name() -> None:
    """It is always there, and nothing else is called so."""
    channels, problems = built(alerts_channels={"log": {"type": "slack", "webhook_url": HOOK}})
    assert channels == {}
    assert "not log, which is always there" in problems[0]


def test_config_shows_channels_without_secrets(tmp_path: Path) -> None:
    """Names, types, levels and variables can be read, and nothing else."""
    path = tmp_path / "otel-trading.toml"
    path.write_text(
        f'[alerts.channels.desk]\ntype = "slack"\nwebhook_url = "{HOOK}"\nlevel = "ERROR"\n'
        '[alerts.channels.ops]\ntype = "webhook"\nurl = "${{OPS_URL}}"\n'.replace("{{", "{").replace("}}", "}"),
        "utf-8",
    )
    runner = CliRunner(env={"OTEL_TRADING_ALERTS_TELEGRAM_BOT_TOKEN": "110201543:sEcReT", "COLUMNS": "300"})
    shown = runner.invoke(cli, ["config", "show", "--file", str(path)]).output
    assert "sEcReT" not in shown
    assert '"desk": {"type": "slack", "webhook_url": "****", "level": "ERROR"}' in shown
    assert "${OPS_URL}" in shown
    checked = runner.invoke(cli, ["config", "check", "--file", str(path)])
    assert checked.exit_code == 1
    assert "alerts_channels ops is left out: url asks for the environment variable OPS_URL" in checked.output
