"""Alerts of a bot that runs, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.alerts.channels.building import build
from otel_trading.settings import resolve
from tests.alerts.channels.services import ROUTING_KEY, SLACK_PATH, TELEGRAM_TOKEN, hang

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from tests.alerts.channels.services import Service

BOT = """
import json, sys, time
import otel_trading as ot
from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification

telemetry = ot.configure(service_name="basis-bot", endpoint="http://127.0.0.1:9", ops_port=0, banner=False,
                         shutdown_timeout=5.0, exit_signals=False)
outbox = telemetry.operations.outbox
began = time.monotonic()
alert = AlertPayload(AlertLevel.CRITICAL, "venue is gone", "no frame", rule="venue_disconnect", subject="kraken")
outbox.post(Notification(alert, ("slack", "phone"), "first"))
while sum(d.outcome == "sent" for d in outbox.deliveries()) < 3 and time.monotonic() - began < 60:
    if time.monotonic() - began < 2:
        pass  # the bot's own thread is stuck in a loop that holds the interpreter
    else:
        time.sleep(0.01)
took = max((d.latency for d in outbox.deliveries()), default=60.0)
outbox.post(Notification(alert, ("slack",), "resolved"))
delivered = telemetry.shutdown(10)
print(json.dumps({"took": took, "outcomes": [d.outcome for d in outbox.deliveries()]}))
"""

TRADING = """
import json, time
import otel_trading as ot

telemetry = ot.configure(service_name="basis-bot", endpoint="http://127.0.0.1:9", ops_port=0, banner=False,
                         exit_signals=False)
took = {}


def told(name, kind, channels=2):
    began, sent = time.monotonic(), ()
    while len(sent) < channels and time.monotonic() - began < 60:
        if time.monotonic() - began > 1:  # until then the bot's own thread is stuck, and holds the interpreter
            time.sleep(0.01)
        sent = [d for d in telemetry.alerts.deliveries() if (d.kind, d.outcome) == (kind, "sent")]
        sent = [d for d in sent if d.key.startswith(name) and d.channel != "log"]
    took[f"{name} {kind}"] = time.monotonic() - began


telemetry.trading.breaker_changed("daily", "open", reason="loss")
told("circuit_breaker_trip", "first")
telemetry.trading.breaker_changed("daily", "closed")
told("circuit_breaker_trip", "resolved")
telemetry.emergency.stop("volatility", by="api")
told("trading_halted", "first")
tested = telemetry.alerts.test("pager")
print(json.dumps({"took": took, "tested": tested, "delivered": telemetry.shutdown(10)}))
"""


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a bot printed, which ended well."""
    environment = {**os.environ, **{f"OTEL_TRADING_ALERTS_{name}": value for name, value in variables.items()}}
    command = [sys.executable, "-c", program]
    bot = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert bot.returncode == 0, bot.stderr
    return bot


def test_alerts_arrive_with_the_collector_down_and_the_bot_stuck(
    serve: Callable[[str], Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within five seconds, on two channels, while nothing else answers; the rest is delivered before the end."""
    slack, telegram = serve("slack"), serve("telegram")
    channels = {
        "phone": {"type": "telegram", "bot_token": "${PHONE}", "chat_id": "-1", "api_url": telegram.url},
        "broken": {"type": "slack"},
    }
    monkeypatch.setenv("PHONE", TELEGRAM_TOKEN)
    hook, folder = slack.url + SLACK_PATH, str(tmp_path / "alerts")
    bot = run(BOT, SLACK_WEBHOOK_URL=hook, CHANNELS=json.dumps(channels), FOLDER=folder)
    told = json.loads(bot.stdout.splitlines()[-1])
    assert told["took"] < 25.0  # five on a machine that is not busy
    assert [body["text"] for body in slack.taken] == ["🚨 *CRITICAL: venue is gone*", "✅ *RESOLVED: venue is gone*"]
    assert len(telegram.taken) == 1
    assert "alerts_channels broken is left out: needs webhook_url, or bot_token and channel" in bot.stderr
    assert TELEGRAM_TOKEN not in bot.stderr
    assert "sEcReT" not in bot.stderr


def test_what_happens_in_trading_is_told(
    serve: Callable[[str], Service], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the event of the bot that is stuck afterwards to the services; its end, and an emergency stop, too."""
    slack, pager = serve("slack"), serve("pagerduty")
    channels = {"pager": {"type": "pagerduty", "routing_key": ROUTING_KEY, "api_url": f"{pager.url}/v2/enqueue"}}
    hook, folder = slack.url + SLACK_PATH, str(tmp_path / "alerts")
    monkeypatch.setenv("OTEL_TRADING_EMERGENCY_FOLDER", str(tmp_path))
    bot = run(TRADING, SLACK_WEBHOOK_URL=hook, CHANNELS=json.dumps(channels), FOLDER=folder)
    told = json.loads(bot.stdout.splitlines()[-1])
    assert max(told["took"].values()) < 25.0  # five on a machine that is not busy
    assert told["tested"] == ["pager"]
    assert [body["text"] for body in slack.taken] == [
        "🚨 *CRITICAL: Circuit breaker tripped: daily*",
        "✅ *RESOLVED: Circuit breaker tripped: daily*",
        "🚨 *CRITICAL: Trading halted: emergency_stop*",
    ]
    assert [body["event_action"] for body in pager.taken[:3]] == ["trigger", "resolve", "trigger"]


def test_bot_ends_in_time_when_a_service_hangs(serve: Callable[[str], Service], tmp_path: Path) -> None:
    """The one deadline holds for alerts, too; what is critical waits for the next start."""
    slack = serve("slack")
    slack.always = hang
    ending = BOT.replace("time.monotonic() - began < 60", "False").replace("shutdown(10)", "shutdown(3)")
    began = time.monotonic()
    run(ending, SLACK_WEBHOOK_URL=slack.url + SLACK_PATH, FOLDER=str(tmp_path / "alerts"))
    assert time.monotonic() - began < 60
    (file,) = (tmp_path / "alerts").glob("basis-bot.*.jsonl")
    assert "venue is gone" in file.read_text()


def test_page_for_users_runs(tmp_path: Path) -> None:
    """What the page says, in a process of its own, as a bot that delivers needs the ops thread."""
    page = (Path(__file__).parents[3] / "docs" / "alert-channels.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    quiet = "ops_port=0, banner=False, traces_exporter='none', metrics_exporter='none', logs_exporter='none'"
    run(example.replace("ops_port=0", quiet), FOLDER=str(tmp_path))
    given = tmp_path / "otel-trading.toml"
    given.write_text(re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[0], "utf-8")
    variables = {
        "SLACK_URL": "https://hooks.slack.com/services/T/B/x",
        "TELEGRAM_TOKEN": TELEGRAM_TOKEN,
        "PAGERDUTY_KEY": "0" * 32,
    }
    channels, problems = build(resolve({"config_file": given}, variables={}).settings, "bot", variables)
    assert ([channel.name for channel in channels], problems) == (["desk", "phone", "pager"], [])
