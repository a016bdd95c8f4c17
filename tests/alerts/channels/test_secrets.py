"""No secret in any log, record or file, whatever goes wrong."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from otel_trading.alerts.channels import Discord, Email, PagerDuty, Slack, Telegram, Webhook
from tests.alerts.channels.conftest import Desk, alert, wait_until
from tests.alerts.channels.services import (
    DISCORD_PATH,
    ROUTING_KEY,
    SLACK_PATH,
    SLACK_TOKEN,
    TELEGRAM_TOKEN,
    drip,
    garbage,
    hang,
    reset,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from tests.alerts.channels.services import Service

SECRETS = [
    SLACK_PATH.rpartition("/")[2],
    SLACK_TOKEN,
    TELEGRAM_TOKEN,
    DISCORD_PATH.rpartition("/")[2],
    ROUTING_KEY,
    "hunter2-sEcReT-smtp",
    "h00k-sEcReT-path",
    "wh-sEcReT-signing",
    "Bearer sEcReT-header-0123",
]


async def echo(request: Any) -> Any:
    """Refuse, and say back everything that was sent."""
    from aiohttp import web

    text = f"{request.url} {dict(request.headers)} {await request.text()}"
    return web.Response(status=400, text=text.replace("\n", " "))


FAULTS = [401, 404, (302, {"Location": "https://x.example/"}), hang, reset, drip, garbage(500), echo]


def test_secrets_stay_where_they_are(
    serve: Callable[[str], Service],
    desk: Callable[..., Desk],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """Refusals that quote the request, hangs, resets, unreachable hosts, and alerts whose own text holds a secret."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.DEBUG)
    server = serve("webhook")
    base = server.url
    terms: dict[str, Any] = {"timeout": 0.5, "give_up_after": 1.5}
    channels = [
        Slack(name="hook", webhook_url=base + SLACK_PATH, **terms),
        Slack(name="bot", bot_token=SLACK_TOKEN, channel="C1", api_url=base, **terms),
        Telegram(name="phone", bot_token=TELEGRAM_TOKEN, chat_id=("-1",), api_url=base, **terms),
        Discord(name="guild", webhook_url=base + DISCORD_PATH, **terms),
        PagerDuty(name="pager", routing_key=ROUTING_KEY, api_url=base, **terms),
        Webhook(
            name="web",
            url=f"{base}/h00k-sEcReT-path?x=1",
            secret="wh-sEcReT-signing",
            headers={"Authorization": "Bearer sEcReT-header-0123"},
            **terms,
        ),
        Telegram(name="nowhere", bot_token=TELEGRAM_TOKEN, chat_id=("-1",), api_url="https://no.invalid", **terms),
        Email(
            name="mail",
            host="127.0.0.1",
            port=server.port,
            security="none",
            sender="b@x.example",
            to=("a@x.example",),
            username="bot",
            password="hunter2-sEcReT-smtp",
            **terms,
        ),
    ]
    opened = desk(*channels)
    for number, fault in enumerate(FAULTS):
        server.always = fault
        text = f"request to {SECRETS[number % len(SECRETS)]} failed: {SECRETS}"
        opened.post(
            alert(f"n {number} {SLACK_TOKEN}", "CRITICAL", message=text, subject=str(number), fields={"e": text})
        )
        wanted = number + 1
        wait_until(lambda: all(len(opened.outcomes(channel.name)) == wanted for channel in channels), 60)  # noqa: B023
    server.wrong.clear()
    statuses = opened.outbox.channels()
    files = "".join(path.read_text() for path in (tmp_path / "alerts").glob("*"))
    out, err = capfd.readouterr()
    seen = f"{opened.log.lines} {opened.outbox.deliveries()} {statuses} {caplog.text} {channels} {files} {out} {err}"
    assert [secret for secret in SECRETS if secret in seen] == []
    assert opened.log.of("alert.undelivered")
