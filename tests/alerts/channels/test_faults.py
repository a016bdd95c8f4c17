"""What becomes of a notification when a service, or the way to it, fails."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.alerts.channels import (
    Discord,
    LaterError,
    PagerDuty,
    RefusedError,
    Slack,
    Telegram,
    UnansweredError,
    Webhook,
)
from tests.alerts.channels.conftest import Desk, alert, wait_until
from tests.alerts.channels.services import (
    DISCORD_PATH,
    ROUTING_KEY,
    SLACK_PATH,
    SLACK_TOKEN,
    TELEGRAM_TOKEN,
    Service,
    drip,
    garbage,
    hang,
    reset,
)
from tests.alerts.channels.test_formats import FULL, rendered

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.alerts.channels import Channel

QUICK = {"timeout": 0.6}


def to(name: str, server: Service, **more: Any) -> Channel:
    """A channel to a local server."""
    options: dict[str, Any] = {"name": name, "timeout": 5.0} | more
    if name == "slack":
        return Slack(webhook_url=server.url + SLACK_PATH, **options)
    if name == "slack-bot":
        return Slack(bot_token=SLACK_TOKEN, channel="C1", api_url=server.url + "/api", **options)
    if name == "telegram":
        return Telegram(bot_token=TELEGRAM_TOKEN, chat_id=("-1001",), api_url=server.url, **options)
    if name == "discord":
        return Discord(webhook_url=server.url + DISCORD_PATH, **options)
    if name == "pagerduty":
        return PagerDuty(routing_key=ROUTING_KEY, api_url=server.url + "/v2/enqueue", **options)
    return Webhook(url=server.url, **options)


ALL = ["slack", "slack-bot", "telegram", "discord", "pagerduty", "webhook"]
KEYED = ["pagerduty", "webhook"]
UNKEYED = ["slack", "slack-bot", "telegram", "discord"]


def service_of(name: str) -> str:
    return name.partition("-")[0]


@pytest.mark.parametrize("name", ALL)
async def test_services_that_fail_are_told_apart(name: str, serve: Callable[[str], Service]) -> None:
    """Busy and broken services are asked again, refusals are final, and silence is neither."""
    server = serve(service_of(name))
    channel = to(name, server, **QUICK)
    for fault, expected in (
        ((429, {"Retry-After": "7"}), LaterError),
        (500, LaterError),
        (503, LaterError),
        (504, UnansweredError),
        (400, RefusedError),
        (403, RefusedError),
        (302, RefusedError),
        (hang, UnansweredError),
        (reset, UnansweredError),
        (drip, UnansweredError),
    ):
        server.faults.append(fault)
        with pytest.raises(expected) as raised:
            await channel.deliver(rendered(FULL))
        if isinstance(fault, tuple):
            assert isinstance(raised.value, LaterError)
            assert raised.value.seconds == 7.0
    assert server.taken == []
    await channel.deliver(rendered(FULL))
    assert len(server.taken) == 1


@pytest.mark.parametrize("name", [name for name in ALL if name != "webhook"])
async def test_answer_of_something_else_is_no_delivery(name: str, serve: Callable[[str], Service]) -> None:
    """A portal that answers 200 to everything has not told anybody."""
    server = serve(service_of(name))
    server.faults.append(garbage(202 if name == "pagerduty" else 200))
    with pytest.raises(UnansweredError):
        await to(name, server).deliver(rendered(FULL))


async def test_pauses_that_services_ask_for_are_read_from_their_answers(serve: Callable[[str], Service]) -> None:
    """Telegram and Discord say it in the body."""
    telegram, discord = serve("telegram"), serve("discord")
    body = {"ok": False, "error_code": 429, "description": "Too Many Requests", "parameters": {"retry_after": 35}}
    telegram.faults.append((429, {}, json.dumps(body)))
    with pytest.raises(LaterError) as raised:
        await to("telegram", telegram).deliver(rendered(FULL))
    assert raised.value.seconds == 35.0
    discord.faults.append((429, {"Retry-After": "65"}, json.dumps({"message": "limited", "retry_after": 64.57})))
    with pytest.raises(LaterError) as raised:
        await to("discord", discord).deliver(rendered(FULL))
    assert raised.value.seconds == 64.57


async def test_slack_says_errors_with_success(serve: Callable[[str], Service]) -> None:
    """``ok: false`` under 200 is a refusal, or a part of the work may be done."""
    server = serve("slack")
    for error, expected in (
        ("channel_not_found", RefusedError),
        ("ratelimited", LaterError),
        ("internal_error", UnansweredError),
    ):
        server.faults.append((200, {}, json.dumps({"ok": False, "error": error})))
        with pytest.raises(expected, match=error):
            await to("slack-bot", server).deliver(rendered(FULL))


async def test_unreachable_is_known_to_be_undelivered() -> None:
    """No name, nobody at the port: nothing was sent."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(LaterError, match="Connection refused"):
        await Webhook(name="hook", url=f"http://127.0.0.1:{port}/").deliver(rendered(FULL))
    with pytest.raises(LaterError, match="not reached"):
        await Webhook(name="hook", url="https://no-such-host.invalid/", timeout=20).deliver(rendered(FULL))


async def test_hung_tls_handshake_is_known_to_be_undelivered() -> None:
    """A port that takes the connection and says nothing of TLS has not got the message."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        channel = Webhook(name="hook", url=f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout=1)
        with pytest.raises(LaterError, match="not reached: timed out"):
            await channel.deliver(rendered(FULL))


async def test_proxy_of_the_environment_is_used(
    serve: Callable[[str], Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Requests go through it, but not to hosts that are excepted."""
    server = serve("webhook")
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as running:
        port = running.sockets[0].getsockname()[1]
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "")
        await Webhook(name="hook", url=server.url).deliver(rendered(FULL))
        assert asked == [f"POST {server.url} HTTP/1.1\r\n".encode()]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        await Webhook(name="hook", url=server.url).deliver(rendered(FULL))
    assert (len(asked), len(server.taken)) == (1, 1)


@pytest.mark.parametrize("name", ALL)
def test_busy_and_broken_services_get_it_once(
    name: str, serve: Callable[[str], Service], desk: Callable[..., Desk]
) -> None:
    """429 with a pause, 500 and 503 in between: it arrives, and only once."""
    server = serve(service_of(name))
    server.faults += [(429, {"Retry-After": "0.2"}), 500, 503]
    opened = desk(to(name, server), chance=lambda: 0.0)
    opened.post(FULL)
    wait_until(lambda: opened.outcomes(name) == ["sent"])
    assert len(server.taken) == 1
    assert opened.outbox.deliveries()[0].attempts == 4
    assert opened.log.of("alert.undelivered") == []


@pytest.mark.parametrize("fault", [hang, reset])
@pytest.mark.parametrize("name", UNKEYED)
def test_silence_is_not_answered_by_a_second_message(
    name: str, fault: Any, serve: Callable[[str], Service], desk: Callable[..., Desk]
) -> None:
    """Where a service does not know a message again, one that may have arrived is not repeated; the log says so."""
    server = serve(service_of(name))
    server.faults.append(fault)
    opened = desk(to(name, server, **QUICK))
    opened.post(FULL, number="n-7")
    wait_until(lambda: opened.outcomes(name) == ["uncertain"])
    assert len(server.seen) == 1
    wait_until(lambda: opened.log.of("alert.undelivered"))
    (line,) = opened.log.of("alert.undelivered")
    assert line.startswith("alert perhaps not delivered: feed")
    opened.post(FULL, kind="resolved")
    wait_until(lambda: opened.outcomes(name) == ["uncertain", "sent"])  # its beginning may have been read


@pytest.mark.parametrize("name", KEYED)
def test_silence_of_a_service_that_knows_ids_is_answered(
    name: str, serve: Callable[[str], Service], desk: Callable[..., Desk]
) -> None:
    """What may have arrived is sent again under the same id."""
    server = serve(name)
    server.faults += [hang, reset]
    opened = desk(to(name, server, **QUICK), chance=lambda: 0.0)
    opened.post(FULL)
    wait_until(lambda: opened.outcomes(name) == ["sent"])
    key = "dedup_key" if name == "pagerduty" else "id"
    assert len({body[key] for _, body in server.seen}) == 1
    assert len(server.seen) == 3


def test_several_chats_get_a_message_once_each(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """When the second chat is busy, the first one does not get the message again."""
    server = serve("telegram")
    server.faults += [None, 500, 500]
    opened = desk(Telegram(name="phone", bot_token=TELEGRAM_TOKEN, chat_id=("-1", "-2"), api_url=server.url))
    opened.post(FULL)
    wait_until(lambda: opened.outcomes("phone") == ["sent"])
    assert [body["chat_id"] for body in server.taken] == ["-1", "-2"]


def test_refused_alert_is_told_by_the_log_and_the_other_channels(
    serve: Callable[[str], Service], desk: Callable[..., Desk]
) -> None:
    """One channel that fails costs the others nothing; when all fail, the log says what was lost, and why."""
    bad, good = serve("slack"), serve("discord")
    bad.always = (404, {}, "no_service")
    opened = desk(to("slack", bad), to("discord", good))
    opened.post(alert("first"))
    wait_until(lambda: opened.outcomes("discord") == ["sent"] and opened.outcomes("slack") == ["failed"])
    assert opened.log.of("alert.undelivered") == []
    opened.post(alert("second", subject="kraken"), "slack")
    wait_until(lambda: opened.log.of("alert.undelivered"))
    assert opened.log.of("alert.undelivered") == ["alert not delivered: second (slack: 404 no_service)"]
    assert opened.last("slack").error == "404 no_service"
    assert {status.name: status.failing for status in opened.outbox.channels()} == {
        "slack": "404 no_service",
        "discord": "",
    }


def test_given_up_after_a_while(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """A service that stays broken is not asked for ever."""
    server = serve("slack")
    server.always = 500
    opened = desk(to("slack", server, give_up_after=1.0))
    opened.post(FULL)
    wait_until(lambda: opened.outcomes("slack") == ["failed"])
    assert opened.last("slack").attempts >= 2
    opened.post(FULL, kind="resolved")
    wait_until(lambda: opened.outcomes("slack") == ["failed", "suppressed"])  # nobody heard that it began


def test_hung_service_holds_up_nobody_else(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """Each channel has a task of its own, and posting never waits."""
    stuck, good = serve("slack"), serve("webhook")
    stuck.always = hang
    opened = desk(to("slack", stuck, timeout=60), to("webhook", good))
    for count in range(20):
        opened.post(alert(f"n {count}", "CRITICAL", subject=str(count)))
    wait_until(lambda: len(good.taken) == 20)
    assert len(stuck.seen) == 1


def test_threads_are_named_and_few(serve: Callable[[str], Service], desk: Callable[..., Desk]) -> None:
    """Nothing of ours runs under another name."""
    before = set(threading.enumerate())
    server = serve("webhook")
    opened = desk(to("webhook", server))
    opened.post(FULL)
    wait_until(lambda: opened.outcomes("webhook") == ["sent"])
    names = {thread.name for thread in set(threading.enumerate()) - before}
    assert {name for name in names if not name.startswith(("otel-", "service"))} == set()
