"""Servers that speak to channels as the services do, and take nothing that the services would not.

The services themselves cannot be had in a test. What stands here for them checks each request against what their
documentation says of its form and limits, by the services' own libraries where there are some (slack_sdk), and answers
as documented. Faults are real: sockets that hang, drip, break off.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import threading
from collections import deque
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Self

from aiohttp import web
from slack_sdk.models.attachments import BlockAttachment
from slack_sdk.models.blocks import Block

if TYPE_CHECKING:
    from collections.abc import Callable

SLACK_PATH = "/services/T0AAAAAAA/B0AAAAAAA/sEcReTsLaCkHoOk1234567"
SLACK_TOKEN = "xoxb-111111111111-222222222222-sEcReTbOtToKeN1234567890"
TELEGRAM_TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw7"
DISCORD_PATH = "/api/webhooks/123456789012345678/sEcReT-discord_token_0123456789abcdefghijABCDEFGHIJ0123456789abcd"
ROUTING_KEY = "R0UT1NGKEYsecret0123456789abcdef"

Fault = Any
"""A status, a pair of status and headers, a coroutine function that does what it likes with the request."""


def utf16(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class Service:
    """A server on a thread of its own; ``taken`` is what it took, ``seen`` all that was asked of it."""

    def __init__(self, check: Callable[[Service, web.Request, Any], Any]) -> None:
        self._check = check
        self.taken: list[Any] = []
        self.seen: list[tuple[dict[str, str], Any]] = []
        self.wrong: list[str] = []
        self.faults: deque[Fault] = deque()
        self.always: Fault = None
        self.count = 0
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="service", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._end.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        text = await request.text()
        try:
            body = json.loads(text)
        except ValueError:
            body = text
        self.seen.append((dict(request.headers), body))
        fault = self.faults.popleft() if self.faults else self.always
        if callable(fault):
            answer = await fault(request)
            if answer is not None:
                return answer  # type: ignore[no-any-return]
        elif isinstance(fault, web.Response):
            return web.Response(status=fault.status, headers=fault.headers, body=fault.body)
        elif fault is not None:
            status, headers, said = (*fault, "", {})[:3] if isinstance(fault, tuple) else (fault, {}, "fault")
            return web.Response(status=status, headers=headers or {}, text=said or "fault")
        try:
            answered = self._check(self, request, body)
        except AssertionError as error:
            self.wrong.append(f"{error or type(error)}: {json.dumps(body)[:2000]}")
            return web.Response(status=400, text=f"refused: {error}")
        self.taken.append(body)
        return answered  # type: ignore[no-any-return]


async def hang(_: web.Request) -> None:
    """Take the request and say nothing."""
    await asyncio.sleep(3_600)


async def reset(request: web.Request) -> web.StreamResponse:
    """Break the connection off in the middle of the answer."""
    assert request.transport is not None
    request.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf an")
    await asyncio.sleep(0.05)
    raw = request.transport.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.transport.abort()
    return web.Response()


async def drip(request: web.Request) -> web.StreamResponse:
    """Answer a byte at a time, for ever."""
    assert request.transport is not None
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"a" * 10_000:
        request.transport.write(bytes([byte]))
        await asyncio.sleep(0.1)
        if request.transport.is_closing():
            break
    return web.Response()


def garbage(status: int = 200) -> web.Response:
    """Something that is not the service's."""
    return web.Response(status=status, body=b"\xff\xfe<html>\x00captive portal")


def slack(service: Service, request: web.Request, body: Any) -> web.Response:
    """Incoming webhooks and chat.postMessage."""
    assert request.method == "POST"
    assert request.content_type == "application/json"
    _slack_message(body)
    if request.path == SLACK_PATH:
        assert "thread_ts" not in body
        return web.Response(text="ok")
    assert request.path == "/api/chat.postMessage"
    if request.headers.get("Authorization") != f"Bearer {SLACK_TOKEN}":
        return web.json_response({"ok": False, "error": "invalid_auth"})
    assert isinstance(body["channel"], str)
    assert re.fullmatch(r"\d+\.\d{6}", body.get("thread_ts", "1.000000"))
    service.count += 1
    return web.json_response({"ok": True, "channel": "C012AB3CD", "ts": f"1503435956.{service.count:06d}"})


def _slack_message(body: Any) -> None:
    assert body.keys() <= {"text", "attachments", "channel", "thread_ts", "reply_broadcast"}
    assert 0 < len(body["text"]) <= 4_000
    _slack_text(body["text"])
    assert len(body["attachments"]) <= 100
    for attachment in body["attachments"]:
        assert attachment.keys() == {"color", "fallback", "blocks"}
        assert re.fullmatch("#[0-9A-F]{6}", attachment["color"])
        blocks = attachment["blocks"]
        assert 0 < len(blocks) <= 50
        assert len(json.dumps(blocks, ensure_ascii=False)) < 13_000, "msg_blocks_too_long"
        parsed = Block.parse_all(blocks)
        BlockAttachment(blocks=parsed).to_dict()
        for block, given in zip(parsed, blocks, strict=True):
            assert block.to_dict() == given, (
                block.to_dict(),
                given,
            )  # validates lengths and kinds by Slack's own models
            for text in [given.get("text"), *given.get("fields", []), *given.get("elements", [])]:
                if text is not None:
                    assert text["type"] == "mrkdwn"
                    assert 0 < len(text["text"].strip()) <= (2_000 if given.get("fields") else 3_000)
                    _slack_text(text["text"])


def _slack_text(text: str) -> None:
    """Only entities and links of ours; a bare < or & would be markup."""
    rest = re.sub(r"<(https?://[^|<>]+\|[^<>]+|!channel|@U[A-Z0-9]+)>", "", text)
    assert "<" not in rest, text
    assert ">" not in rest, text
    assert re.sub("&(amp|lt|gt);", "", rest).find("&") == -1, text
    text.encode()


def telegram(service: Service, request: web.Request, body: Any) -> web.Response:
    """Accept sendMessage."""
    assert request.method == "POST"
    if request.path != f"/bot{TELEGRAM_TOKEN}/sendMessage":
        return web.json_response({"ok": False, "error_code": 401, "description": "Unauthorized"}, status=401)
    known = {"chat_id", "text", "parse_mode", "link_preview_options", "message_thread_id", "disable_notification"}
    assert body.keys() <= known | {"reply_parameters"}
    assert re.fullmatch(r"-?\d+|@\w{5,32}", str(body["chat_id"]))
    assert body["link_preview_options"] == {"is_disabled": True}
    shown = html_text(body["text"]) if body["parse_mode"] == "HTML" else markdown_text(body["text"])
    assert 1 <= utf16(shown.strip()) <= 4_096
    if "reply_parameters" in body:
        assert body["reply_parameters"].keys() == {"message_id", "allow_sending_without_reply"}
    service.count += 1
    return web.json_response({"ok": True, "result": {"message_id": service.count, "chat": {"id": 1}, "text": shown}})


class _Html(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.shown: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"b", "a"}
        assert [name for name, _ in attrs] == (["href"] if tag == "a" else [])
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        assert "<" not in data
        assert "&" not in data
        self.shown.append(data)

    def handle_entityref(self, name: str) -> None:
        self.shown.append({"lt": "<", "gt": ">", "amp": "&", "quot": '"'}[name])

    def handle_charref(self, name: str) -> None:
        assert name == "x27"
        self.shown.append("'")

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def html_text(text: str) -> str:
    """What Telegram shows of a text in its HTML; an AssertionError where it would answer "can't parse entities"."""
    parser = _Html()
    parser.feed(text)
    parser.close()
    assert not parser.open
    return "".join(parser.shown)


def markdown_text(text: str) -> str:
    """What Telegram shows of a text in MarkdownV2; reserved characters that are not escaped are an error."""
    shown, at, bold = [], 0, False
    while at < len(text):
        sign = text[at]
        if sign == "\\":
            assert at + 1 < len(text)
            shown.append(text[at + 1])
            at += 2
            continue
        if sign == "*":
            bold = not bold
        elif sign == "[":
            match = re.compile(r"\[((?:[^\]\\]|\\.)+)\]\((https?:(?:[^)\\]|\\.)+)\)").match(text, at)
            assert match is not None, text[at:]
            shown.append(re.sub(r"\\(.)", r"\1", match[1]))
            at = match.end()
            continue
        else:
            assert sign not in "_]()~`>#+-=|{}.!", (sign, text)
            shown.append(sign)
        at += 1
    assert not bold
    return "".join(shown)


def discord(service: Service, request: web.Request, body: Any) -> web.Response:
    """Execute a webhook."""
    assert request.method == "POST"
    if request.path != DISCORD_PATH:
        return web.json_response({"message": "Unknown Webhook", "code": 10015}, status=404)
    assert request.query["wait"] == "true"
    assert request.query.keys() <= {"wait", "thread_id"}
    assert body.keys() <= {"content", "embeds", "allowed_mentions", "username"}
    assert 0 < len(body.get("content", "x")) <= 2_000
    assert len(body["embeds"]) <= 10
    total = 0
    for embed in body["embeds"]:
        assert embed.keys() <= {"title", "description", "color", "timestamp", "footer", "fields"}
        assert 0 <= embed["color"] <= 0xFFFFFF
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+00:00", embed["timestamp"])
        limited = [(embed["title"], 256), (embed.get("description", "x"), 4_096), (embed["footer"]["text"], 2_048)]
        assert len(embed.get("fields", [])) <= 25
        for field in embed.get("fields", []):
            assert field.keys() == {"name", "value", "inline"}
            limited += [(field["name"], 256), (field["value"], 1_024)]
        for text, limit in limited:
            assert 0 < utf16(text.strip()) <= limit, (limit, text)
            total += utf16(text)
    assert total <= 6_000
    if "content" not in body:
        assert body["allowed_mentions"] == {"parse": []}
    service.count += 1
    headers = {"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": "4", "X-RateLimit-Reset-After": "2"}
    return web.json_response({"id": str(service.count), "type": 0}, headers=headers)


def pagerduty(service: Service, request: web.Request, body: Any) -> web.Response:
    """Enqueue an event."""
    assert request.method == "POST"
    assert request.path == "/v2/enqueue"
    if len(body["routing_key"]) != 32 or body["routing_key"] != ROUTING_KEY:
        said = {"status": "invalid event", "message": "Event object is invalid", "errors": ["Invalid routing key"]}
        return web.json_response(said, status=400)
    assert body["event_action"] in {"trigger", "acknowledge", "resolve"}
    assert 0 < len(body["dedup_key"]) <= 255
    known = {"routing_key", "event_action", "dedup_key"}
    if body["event_action"] == "trigger":
        known |= {"payload", "client", "links", "images", "client_url"}
        inner = body["payload"]
        optional = {"timestamp", "component", "group", "class", "custom_details"}
        assert {"summary", "source", "severity"} <= inner.keys() <= {"summary", "source", "severity"} | optional
        assert 0 < len(inner["summary"]) <= 1_024
        assert inner["source"]
        assert inner["severity"] in {"critical", "error", "warning", "info"}
        assert all(link.keys() == {"href", "text"} for link in body["links"])
        assert len(json.dumps(body)) < 512_000
    assert body.keys() <= known
    said = {"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]}
    return web.json_response(said, status=202)


def webhook(service: Service, request: web.Request, body: Any) -> web.Response:
    """Take JSON; what has the same id is taken once."""
    assert request.headers["webhook-id"] == request.headers["Idempotency-Key"] == body["id"]
    assert abs(int(request.headers["webhook-timestamp"])) > 1_600_000_000
    assert body["level"] in {"INFO", "WARNING", "ERROR", "CRITICAL"}
    assert isinstance(body["title"], str)
    assert isinstance(body["message"], str)
    assert isinstance(body["fields"], dict)
    assert "T" in body["timestamp"]
    return web.Response(status=204)
