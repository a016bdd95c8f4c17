"""Whatever arrives: the server stays up, memory stays flat, the bot's loop is not touched."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_trading.ops.visitors import Phase, Visitors
from tests.ops.conftest import drained
from tests.ops.processes import BotProcess, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ops.conftest import Serve

REQUESTS = 10_000
PATHS = [
    "/health",
    "/metrics",
    "/status",
    "/emergency/stop",
    "/log-level",
    "/flight/x",
    "/login",
    "/alerts/x/acknowledge",
]
METHODS = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "gEt", "", "\0"]
NASTY = [
    *(b"\0", b"\xff\xfe", b"%00", b"%2e%2e%2f" * 20, b"../" * 50, b"A" * 9_000, b"\r\n\r\n", b"\n", b" ", b"%"),
    *("ü".encode(), b"{}", b"[" * 3_000, b"-1", b"1e999", b"NaN", b"'\"<script>", b"//", b"*", b"http://evil/"),
]


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[BotProcess]:
    with running(tmp_path, OTEL_TRADING_OPS_RATE_LIMIT="0") as process:
        assert process.get("/health").status == 200
        yield process


def open_many(bot: BotProcess, number: int) -> list[socket.socket]:
    return [socket.create_connection(("127.0.0.1", bot.port), timeout=20) for _ in range(number)]


def close_all(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()


def malformed(chance: random.Random) -> bytes:
    """A request with something wrong in it, mostly."""

    def some(usual: bytes) -> bytes:
        return chance.choice(NASTY) if chance.random() < 0.1 else usual

    path = chance.choice(PATHS).encode() + (some(b"") if chance.random() < 0.5 else b"?" + some(b"a=b"))
    length = chance.choice([b"0", b"5", b"-1", b"99999999999999999999", b"0x10", b"5, 5", b"\xb2", b"70000"])
    headers = [
        b"Host: " + some(b"localhost"),
        b"Authorization: " + some(b"Bearer " + some(b"guess")),
        b"Cookie: " + some(b"otel_trading_8080=" + some(b"x")),
        b"Content-Length: " + length,
        b"Transfer-Encoding: " + some(b"chunked"),
        b"Content-Type: " + some(b"application/json"),
        b"Origin: " + some(b"http://localhost"),
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: " + some(b"eA=="),
        b"Expect: " + some(b"100-continue"),
        b"Accept: " + some(b"application/openmetrics-text"),
        some(b"X: y") + b": " + some(b""),
        b" folded",
        b"no colon",
    ]
    chosen = chance.sample(headers, chance.randrange(5))
    line = some(chance.choice(METHODS).encode() + b" " + path + b" " + some(b"HTTP/1.1"))
    body = some(b'{"reason": ' + some(b'"x"') + b"}")
    return line + b"\r\n" + b"\r\n".join(chosen) + b"\r\n\r\n" + body + chance.choice([b"", b"\r\n0\r\n\r\n"])


def test_ten_thousand_malformed_requests(bot: BotProcess) -> None:
    """Fuzzed methods, paths, headers, tokens and bodies, some of them several on a connection."""
    chance = random.Random(7)  # noqa: S311 - repeatable
    before, answers = 0, Counter[bytes]()
    for number in range(REQUESTS):
        if number == REQUESTS // 4:  # all that is loaded, compiled and counted for the first time is there by now
            before = bot.memory
        connection = socket.create_connection(("127.0.0.1", bot.port), timeout=20)
        with connection, contextlib.suppress(OSError):
            connection.sendall(malformed(chance) * chance.choice([1, 1, 1, 3]))
            if chance.random() < 0.7:
                connection.settimeout(0.02)
                answers[connection.recv(12)[9:]] += 1
    assert sum(answers.values()) > REQUESTS // 2
    assert {b"200", b"400", b"401", b"404", b"405", b"421"} <= answers.keys()
    assert bot.get("/health").json()["status"] == "ok"
    assert bot.get("/emergency").json()["engaged"] is False
    assert bot.get("/metrics").status == 200
    assert bot.memory - before < 16 << 20
    late, ticks = map(float, bot.tell("end").split())
    assert ticks > 100
    assert late < 2.0


def test_whatever_bytes(serve: Serve) -> None:
    """Bytes without any order leave the next visitor as he was."""
    served = serve(rate_limit=0)
    begins = [b"", b"GET /health HTTP/1.1\r\n", b"POST /login HTTP/1.1\r\nHost: localhost\r\n"]

    @settings(max_examples=300, deadline=None)
    @given(st.sampled_from(begins), st.binary(max_size=400))
    def send(begin: bytes, raw: bytes) -> None:
        with served.connected() as connection:
            connection.sendall(begin + raw)
        assert served.get("/health").status == 200

    send()


def test_five_hundred_idle_connections_lock_nobody_out(bot: BotProcess) -> None:
    """Those that are idle for longest leave; the bot keeps its descriptors."""
    before = int(bot.tell("descriptors"))
    idle = open_many(bot, 500)
    began = time.monotonic()
    for _ in range(20):
        assert bot.get("/health").status == 200
    assert time.monotonic() - began < 10
    assert int(bot.tell("descriptors")) - before <= 130
    assert bot.get("/ready").status == 200
    close_all(idle)


def test_slow_ones_have_ten_seconds(bot: BotProcess) -> None:
    """Headers and bodies that come byte by byte end; others are answered meanwhile."""
    heads = [b"GET /health HTTP/1.1\r\nX: ", b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\n{"]
    slow = open_many(bot, 60)
    for number, each in enumerate(slow):
        each.sendall(heads[number % 2])
    began = time.monotonic()
    ended: set[socket.socket] = set()
    while len(ended) < len(slow) and time.monotonic() - began < 60:
        for each in slow:
            if each in ended:
                continue
            try:
                each.setblocking(False)
                each.send(b"a")
                if not each.recv(4_096):
                    ended.add(each)
            except BlockingIOError:
                pass
            except OSError:
                ended.add(each)
        assert bot.get("/health").status == 200
        time.sleep(0.2)
    assert len(ended) == len(slow)
    assert time.monotonic() - began > 5
    close_all(slow)


def test_huge_bodies_are_not_taken(bot: BotProcess) -> None:
    """Neither announced nor in pieces without an end; memory stays as it is."""
    before = bot.memory
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for head in (b"Content-Length: 10000000000", b"Transfer-Encoding: chunked"):
        with socket.create_connection(("127.0.0.1", bot.port), timeout=20) as connection:
            connection.sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" + head)
            connection.sendall(b"\r\n\r\n")
            with contextlib.suppress(OSError):
                for _ in range(2_000):
                    connection.sendall(chunk)
            assert b" 413 " in drained(connection)[:20] or head.startswith(b"Transfer")
    assert bot.memory - before < 16 << 20
    assert bot.get("/health").status == 200


def test_answers_that_nobody_fetches_are_dropped(bot: BotProcess) -> None:
    """Thousands of requests down a pipe and not one answer read: memory stays as it is."""
    for _ in range(3):
        bot.get("/metrics")
    before = bot.memory
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    pipes = open_many(bot, 50)
    for pipe in pipes:
        pipe.setblocking(False)
        with contextlib.suppress(OSError):
            pipe.send(request * 2_000)
    for _ in range(20):
        assert bot.get("/health").status == 200
        time.sleep(0.1)
    assert bot.memory - before < 64 << 20
    close_all(pipes)
    assert bot.get("/health").status == 200


def test_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    """All of them, on one connection."""
    served = serve()
    names = ["health", "emergency", "log-level", "nothing"] * 5
    requests = [f"GET /{name} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() for name in names]
    last = b"GET /session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    answers = served.said(b"".join([*requests, last])).split(b"HTTP/1.1 ")[1:]
    assert [answer[:3] for answer in answers] == [b"200", b"200", b"200", b"404"] * 5 + [b"200"]


def test_too_many_requests_wait(serve: Serve) -> None:
    """Those of one address; probes, and who has the token, have an allowance of their own."""
    served = serve(rate_limit=1)
    statuses = [served.get("/emergency").status for _ in range(20)]
    assert statuses[0] == 200
    assert 429 in statuses
    refused = served.get("/emergency")
    assert refused.status == 200 or refused.headers["retry-after"] == "1"
    assert served.get("/health").status == 200
    assert served.knowing().ask("POST", "/emergency/stop").status == 200


class Wire:
    """A connection that holds what is written."""

    def __init__(self) -> None:
        self.open = True
        self.unread = 0

    def get_write_buffer_size(self) -> int:
        return self.unread

    def abort(self) -> None:
        self.open = False

    close = abort


def test_who_has_to_leave() -> None:
    """Of the crowd of one address the one that idles for longest; those that work are the last."""
    now = 0.0
    visitors = Visitors(lambda: None, most=4, clock=lambda: now)  # type: ignore[arg-type, return-value]

    def come(address: str, phase: Phase) -> Wire:
        nonlocal now
        now += 1
        visitor = visitors.admit(None, address, metrics_only=False)  # type: ignore[arg-type]
        wire = Wire()
        visitor._transport = wire  # type: ignore[assignment]
        visitor.enter(phase)
        return wire

    alone = come("a", Phase.IDLE)
    live, idle, receiving = come("b", Phase.WORKING), come("b", Phase.IDLE), come("b", Phase.RECEIVING)
    come("c", Phase.IDLE)
    assert [each.open for each in (alone, live, idle, receiving)] == [True, True, False, True]
    come("c", Phase.IDLE)
    assert [each.open for each in (alone, live, receiving)] == [True, True, False]
    now += 11
    late = come("a", Phase.RECEIVING)
    visitors.sweep()
    assert late.open
    now += 10.5
    visitors.sweep()
    assert (alone.open, late.open, live.open) == (True, False, True)
    live.unread = 33 << 20
    visitors.sweep()
    assert (alone.open, live.open) == (True, False)
    now += 30
    visitors.sweep()
    assert len(visitors) == 0
