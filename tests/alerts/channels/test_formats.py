"""What each service is sent is what its documentation asks for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_trading.alerts.channels import Discord, PagerDuty, Slack, Telegram, Webhook
from otel_trading.alerts.channels import discord as discord_form
from otel_trading.alerts.channels import pagerduty as pagerduty_form
from otel_trading.alerts.channels import slack as slack_form
from otel_trading.alerts.channels import telegram as telegram_form
from otel_trading.alerts.channels import webhook as webhook_form
from otel_trading.alerts.channels.email import letter
from otel_trading.alerts.model import AlertLevel, AlertPayload, Notification
from otel_trading.alerts.rendering import render
from tests.alerts.channels import services
from tests.alerts.channels.conftest import alert
from tests.alerts.channels.services import DISCORD_PATH, ROUTING_KEY, SLACK_PATH, SLACK_TOKEN, TELEGRAM_TOKEN, Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.alerts.channels import Channel
    from otel_trading.alerts.rendering import Rendered

BEGAN = datetime(2026, 1, 15, 14, 23, 45, tzinfo=UTC)
FULL = alert(
    "feed <b>stale</b> & *silent*",
    "CRITICAL",
    timestamp=BEGAN,
    fields={
        "venue": "binance",
        "age": "31.2 s",
        "runbook": "https://runbooks.example.com/stale?a=1&b=2",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    },
)


def rendered(payload: AlertPayload, kind: Any = "first", others: tuple[AlertPayload, ...] = ()) -> Rendered:
    return render(Notification(payload, ("desk",), kind, others, "n-1"), "basis-bot")


async def test_slack_webhook_gets_a_line_and_coloured_blocks(serve: Callable[[str], Service]) -> None:
    """The line is what notifications show; facts are fields, links and the time have blocks of their own."""
    server = serve("slack")
    channel = Slack(name="desk", webhook_url=server.url + SLACK_PATH, channel="#trading", mention="<!channel>")
    await channel.deliver(rendered(FULL))
    (body,) = server.taken
    assert body["text"] == "<!channel> 🚨 *CRITICAL: feed &lt;b&gt;stale&lt;/b&gt; &amp; *silent**"
    assert body["channel"] == "#trading"
    (attachment,) = body["attachments"]
    assert attachment["color"] == "#B60205"
    message, fields, links, context = attachment["blocks"]
    assert message["text"]["text"] == "no update for 31 s"
    assert [field["text"] for field in fields["fields"]] == [
        "*venue*\nbinance",
        "*age*\n31.2 s",
        "*trace_id*\n4bf92f3577b34da6a3ce929d0e0e4736",
    ]
    assert links["text"]["text"] == "<https://runbooks.example.com/stale?a=1&amp;b=2|Runbook>"
    assert context["elements"][0]["text"] == "basis-bot · stale_data/binance · 2026-01-15 14:23:45 UTC"


async def test_slack_bot_answers_in_the_thread(serve: Callable[[str], Service]) -> None:
    """What is said of an alert later stands in the first message's thread, its end in the channel, too."""
    server = serve("slack")
    channel = Slack(name="desk", bot_token=SLACK_TOKEN, channel="C012AB3CD", api_url=server.url + "/api")
    first = await channel.deliver(rendered(FULL))
    again = await channel.deliver(rendered(FULL, "reminder"), first.thread)
    await channel.deliver(rendered(FULL, "resolved"), again.thread)
    assert [body.get("thread_ts") for body in server.taken] == [None, "1503435956.000001", "1503435956.000001"]
    assert [body.get("reply_broadcast") for body in server.taken] == [None, False, True]
    assert server.taken[2]["attachments"][0]["color"] == "#2DA44E"
    assert server.taken[2]["text"].startswith("✅ *RESOLVED: ")


@pytest.mark.parametrize("form", ["HTML", "MarkdownV2"])
async def test_telegram_message_reads_the_same_in_both_forms(form: Any, serve: Callable[[str], Service]) -> None:
    """Nothing in an alert is markup; all chats get it, answers refer to the first message of theirs."""
    server = serve("telegram")
    channel = Telegram(
        name="phone", bot_token=TELEGRAM_TOKEN, chat_id=("-1001234", "@basis_desk"), parse_mode=form, api_url=server.url
    )
    first = await channel.deliver(rendered(FULL))
    await channel.deliver(rendered(FULL, "resolved"), first.thread)
    assert [body["chat_id"] for body in server.taken] == ["-1001234", "@basis_desk"] * 2
    assert [body.get("reply_parameters", {}).get("message_id") for body in server.taken] == [None, None, 1, 2]
    read = services.html_text if form == "HTML" else services.markdown_text
    assert read(server.taken[0]["text"]) == (
        "🚨 CRITICAL: feed <b>stale</b> & *silent*\nno update for 31 s\n\nvenue: binance\nage: 31.2 s\n"
        "trace_id: 4bf92f3577b34da6a3ce929d0e0e4736\nRunbook\n\n"
        "basis-bot · stale_data/binance · 2026-01-15 14:23:45 UTC"
    )


async def test_telegram_group_that_moved_is_followed(serve: Callable[[str], Service]) -> None:
    """A group that became a supergroup has another id, which Telegram says."""
    server = serve("telegram")
    moved = {"ok": False, "error_code": 400, "description": "moved", "parameters": {"migrate_to_chat_id": -1009}}
    server.faults.append((400, {}, json.dumps(moved)))
    channel = Telegram(name="phone", bot_token=TELEGRAM_TOKEN, chat_id=("-5",), api_url=server.url)
    await channel.deliver(rendered(FULL))
    await channel.deliver(rendered(FULL))
    assert [body["chat_id"] for body in server.taken] == ["-1009", "-1009"]


async def test_discord_gets_an_embed(serve: Callable[[str], Service]) -> None:
    """Title, colour, time and fields have their places; who is called stands in the content."""
    server = serve("discord")
    url = server.url + DISCORD_PATH
    channel = Discord(name="guild", webhook_url=url, thread_id="42", mention="@everyone", username="basis")
    await channel.deliver(rendered(FULL))
    await channel.deliver(rendered(alert("up 5%", "INFO")))
    first, second = server.taken
    assert first["content"] == "@everyone"
    assert first["allowed_mentions"]["parse"] == ["everyone", "roles", "users"]
    (embed,) = first["embeds"]
    assert embed["title"] == r"🚨 CRITICAL\: feed \<b\>stale\</b\> & \*silent\*"
    assert embed["color"] == 0xB60205
    assert embed["timestamp"] == "2026-01-15T14:23:45+00:00"
    assert [field["name"] for field in embed["fields"]] == ["venue", "age", r"trace\_id", "Runbook"]
    assert "content" not in second


async def test_pagerduty_has_one_incident_an_alert(serve: Callable[[str], Service]) -> None:
    """An alert triggers, is acknowledged and resolved under one key, which another bot does not share."""
    server = serve("pagerduty")
    channel = PagerDuty(name="pager", routing_key=ROUTING_KEY, api_url=server.url + "/v2/enqueue")
    for kind in ("first", "reminder"):
        await channel.deliver(rendered(FULL, kind))
    await channel.acknowledge(rendered(FULL))
    await channel.deliver(rendered(FULL, "resolved"))
    assert [body["event_action"] for body in server.taken] == ["trigger", "trigger", "acknowledge", "resolve"]
    assert {body["dedup_key"] for body in server.taken} == {"basis-bot/stale_data/binance"}
    inner = server.taken[0]["payload"]
    assert inner["severity"] == "critical"
    assert inner["class"] == "stale_data"
    assert inner["component"] == "binance"
    assert inner["custom_details"]["age"] == "31.2 s"
    assert server.taken[0]["links"] == [{"href": "https://runbooks.example.com/stale?a=1&b=2", "text": "Runbook"}]


async def test_webhook_is_signed_by_the_standard(serve: Callable[[str], Service]) -> None:
    """The body is the alert; its receiver can tell who sent it, when, and whether it has it already."""
    server = serve("webhook")
    key = base64.b64encode(b"0123456789abcdef01234567").decode()
    channel = Webhook(name="hook", url=server.url + "/in", secret=f"whsec_{key}", headers={"X-Team": "arb"})
    await channel.deliver(rendered(FULL, others=(alert("also"),)))
    (body,) = server.taken
    headers, _ = server.seen[0]
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{text}".encode()
    expected = base64.b64encode(hmac.new(base64.b64decode(key), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["X-Team"] == "arb"
    assert {name: body[name] for name in ("level", "title", "message", "timestamp", "kind", "service")} == {
        "level": "CRITICAL",
        "title": "feed <b>stale</b> & *silent*",
        "message": "no update for 31 s",
        "timestamp": "2026-01-15T14:23:45+00:00",
        "kind": "first",
        "service": "basis-bot",
    }
    assert body["fields"]["venue"] == "binance"
    assert [other["title"] for other in body["others"]] == ["also"]


async def test_no_trace_header_leaves(serve: Callable[[str], Service]) -> None:
    """A channel's request is the bot's own affair: no span, no traceparent, also with an instrumented aiohttp."""
    from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value
    from opentelemetry.instrumentation.aiohttp_client import AioHttpClientInstrumentor
    from opentelemetry.sdk.trace import TracerProvider

    server = serve("webhook")
    provider = TracerProvider(shutdown_on_exit=False)
    AioHttpClientInstrumentor().instrument(tracer_provider=provider)
    try:
        with provider.get_tracer("bot").start_as_current_span("tick"):
            token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # as the ops thread does
            await Webhook(name="hook", url=server.url).deliver(rendered(FULL))
            detach(token)
    finally:
        AioHttpClientInstrumentor().uninstrument()
    headers, _ = server.seen[0]
    assert "traceparent" not in {name.lower() for name in headers}


texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet="<>&*_[]()~`#+-=|{}.!\\@:/ \n\t\x00\u200b\ud800🚨", max_size=60),
    st.text(alphabet=st.sampled_from(["🚨", "&", "<", "_", "\\", "a", "\n"]), min_size=500, max_size=6_000),
    st.sampled_from(["<!channel>", "@everyone", "</b>", "https://x.y/?a=b&c", "```", "[a](b)", "&lt;", " ", ""]),
)
payloads = st.builds(
    AlertPayload,
    level=st.sampled_from(AlertLevel),
    title=texts,
    message=texts,
    fields=st.dictionaries(texts, texts, max_size=40),
    rule=texts,
    subject=texts,
    timestamp=st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1)),  # noqa: DTZ001
)
notifications = st.builds(
    Notification,
    alert=payloads,
    channels=st.just(("desk",)),
    kind=st.sampled_from(["first", "escalation", "reminder", "resolved", "test"]),
    others=st.lists(payloads, max_size=3).map(tuple),
    id=st.just("n-1"),
)


class _Request:
    """Stands for a request where only its body matters."""

    method, content_type = "POST", "application/json"

    def __init__(self, path: str, headers: dict[str, str] | None = None) -> None:
        self.path, self.headers, self.query = path, headers or {}, {"wait": "true"}


class _Count:
    count = 0


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(notifications)
def test_any_text_becomes_a_message_that_services_take(notification: Notification) -> None:
    """Whatever stands in an alert, each service's rules and limits hold, and the text is valid UTF-8."""
    message = render(notification, "basis-bot")
    anything: Any = _Count()
    body: Any = slack_form.payload(message, "<!channel>")
    services.slack(anything, _Request(SLACK_PATH), _wire(body))  # type: ignore[arg-type]
    for form in ("HTML", "MarkdownV2"):
        body = telegram_form.payload(message, form) | {"chat_id": "-1"}
        services.telegram(anything, _Request(f"/bot{TELEGRAM_TOKEN}/sendMessage"), _wire(body))  # type: ignore[arg-type]
    body = discord_form.payload(message)
    services.discord(anything, _Request(DISCORD_PATH), _wire(body))  # type: ignore[arg-type]
    body = {"routing_key": ROUTING_KEY, **pagerduty_form.payload(message, "basis-bot")}
    services.pagerduty(anything, _Request("/v2/enqueue"), _wire(body))  # type: ignore[arg-type]
    _wire(webhook_form.payload(message))
    mail = letter(message, "Desk <desk@example.com>", ("a@example.com",), "<1@example.com>")
    raw = mail.as_bytes(policy=mail.policy.clone(linesep="\r\n"))
    assert max(map(len, raw.split(b"\r\n"))) <= 998


def _wire(body: Any) -> Any:
    return json.loads(json.dumps(body, ensure_ascii=False).encode())


def test_channel_can_be_used_on_its_own(serve: Callable[[str], Service]) -> None:
    """A channel is an ``AlertChannel``."""
    server = serve("webhook")
    channel: Channel = Webhook(name="hook", url=server.url)
    asyncio.run(channel.send(alert(state="resolved")))
    assert server.taken[0]["kind"] == "resolved"
