"""Who is let in, and with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from otel_trading.ops.access import CALLER, SESSION, Access, Keys, access
from otel_trading.ops.limits import Limits

if TYPE_CHECKING:
    from tests.ops.conftest import Serve, Served

TOKEN = "a-short-token"
CHANGES = [
    ("POST", "/emergency/stop"),
    ("POST", "/emergency/resume"),
    ("PUT", "/log-level"),
    ("PUT", "/sampling"),
    ("POST", "/flight/snapshot"),
    ("POST", "/alerts/silences"),
    ("DELETE", "/alerts/silences/1"),
    ("POST", "/alerts/test"),
    ("POST", "/alerts/x/acknowledge"),
    ("GET", "/flight"),
    ("GET", "/flight/x"),
]
READS = ["/health/detailed", "/metrics", "/status", "/config", "/emergency", "/log-level", "/sampling", "/alerts"]


@pytest.mark.parametrize("token", [None, TOKEN])
def test_on_loopback_reading_is_open_and_changes_need_a_token(serve: Serve, token: str | None) -> None:
    """Whether a token was set or made."""
    served = serve(token=token)
    assert {served.get(path).status for path in [*READS, "/health", "/ready"]} == {200}
    answers = [served.ask(method, path, {}) for method, path in CHANGES]
    assert {answer.status for answer in answers} == {401}
    assert {answer.headers["www-authenticate"].split()[0] for answer in answers} == {"Bearer"}
    where = "OTEL_TRADING_OPS_TOKEN" if token else "otel-trading ops token"
    assert all(where in answer.json["detail"] for answer in answers)
    assert not served.bot.emergency.engaged
    assert served.knowing().ask("POST", "/emergency/stop", {"reason": "drill"}).status == 200
    assert served.bot.emergency.state.reason == "drill"
    assert served.bot.emergency.state.by == "http"


def test_off_loopback_everything_needs_the_token(serve: Serve) -> None:
    """Also what is not there; but not the page that takes the token."""
    served = serve(host="0.0.0.0", token=TOKEN)
    paths = [*READS, "/health", "/ready", "/nothing"]
    assert {served.get(path).status for path in paths} == {401}
    assert {served.get(path, Authorization="Basic eDp5").status for path in paths} == {401}
    assert {served.knowing().get(path).status for path in READS} == {200}
    assert served.get("/session").json == {"known": False, "needed_to_read": True}
    assert served.knowing().get("/session").json == {"known": True, "needed_to_read": True}


def test_probes_may_be_let_in(serve: Serve) -> None:
    """Those of an orchestrator carry no token; nothing but they is open."""
    served = serve(host="0.0.0.0", token=TOKEN, open_probes=True)
    assert [served.get(path).status for path in ("/health", "/ready", "/health/detailed", "/metrics")] == [
        200,
        200,
        401,
        401,
    ]


def test_wrong_tokens_bar_an_address(serve: Serve) -> None:
    """After ten also the right one is not looked at for a while, if it is one that could be guessed."""
    served = serve(token=TOKEN)
    statuses = [served.knowing(f"guess{n}").ask("POST", "/emergency/stop").status for n in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    answer = served.knowing().ask("POST", "/emergency/stop")
    assert answer.status == 429
    assert 0 < int(answer.headers["retry-after"]) <= 6
    assert served.get("/health").status == 200
    refusals = [fields["refusal"] for _, event, fields in served.bot.told if event == "ops.refusal"]
    assert refusals == ["token", "barred"]


def test_nobody_can_bar_who_has_a_long_token(serve: Serve) -> None:
    """A token that cannot be guessed opens always, so that others cannot keep the emergency stop from being used."""
    served = serve()
    for n in range(15):
        served.knowing(f"guess{n}").ask("POST", "/emergency/stop")
    assert served.knowing("wrong").ask("POST", "/emergency/stop").status == 429
    assert served.knowing().ask("POST", "/emergency/stop").status == 200


def test_a_browser_shows_the_token_once(serve: Serve) -> None:
    """It gets a cookie that no script reads and no other site sends; with it come changes of the same origin only."""
    served = serve(token=TOKEN)
    origin = f"http://127.0.0.1:{served.port}"
    assert served.ask("POST", "/login", {"token": "guess"}, Origin=origin).status == 401
    answer = served.ask("POST", "/login", {"token": TOKEN}, Origin=origin)
    assert answer.status == 200
    cookie, _, rest = answer.headers["set-cookie"].partition(";")
    assert cookie.startswith(f"otel_trading_{served.port}=")
    assert {part.strip() for part in rest.split(";")} == {
        "HttpOnly",
        f"Max-Age={SESSION}",
        "Path=/",
        "SameSite=Strict",
    }
    assert TOKEN not in cookie
    assert served.get("/session", Cookie=cookie).json["known"] is True
    stop: Any = ("POST", "/emergency/stop", {})
    assert served.ask(*stop, Cookie=cookie).status == 403
    assert served.ask(*stop, Cookie=cookie, Origin="http://127.0.0.1:1").status == 403
    assert served.ask(*stop, Cookie=cookie, Origin="null").status == 403
    form = served.ask("POST", "/emergency/stop", b"reason=x", Cookie=cookie, Origin=origin, Content_Type="text/plain")
    assert form.status == 415
    assert not served.bot.emergency.engaged
    assert served.ask(*stop, Cookie=cookie, Origin=origin).status == 200
    assert served.ask("POST", "/logout", Cookie=cookie, Origin=origin).status == 200
    assert served.ask(*stop, Cookie=cookie, Origin=origin).status == 401
    assert TOKEN not in str(served.bot.told)


def test_sessions_end() -> None:
    """After twelve hours, and the oldest of too many."""
    now = 0.0
    keys = Keys(TOKEN, clock=lambda: now)
    first = keys.session()
    assert keys.admits(first)
    now = float(SESSION)
    assert not keys.admits(first)
    many = [keys.session() for _ in range(101)]
    assert [keys.admits(key) for key in (many[0], many[1], many[-1])] == [False, True, True]


def test_names_that_others_make_point_here_are_refused(serve: Serve) -> None:
    """A page of another site cannot read what is open on loopback by having its own name resolved to it."""
    served = serve(hosts=("bot.example",))
    for known in ("localhost", "127.0.0.1:1", "[::1]:8080", "LOCALHOST:9", "a.localhost"):
        assert served.get("/health", Host=known).status == 200
    for unknown in ("evil.example", "127.0.0.1.evil.example:8080", "localhost.evil", ""):
        assert served.get("/health", Host=unknown).status == 421, unknown
    assert served.get("/health", Host="bot.example").status == 401
    assert served.knowing().get("/health", Host="bot.example").status == 200
    assert b" 400 " in served.said(b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n").split(b"\r\n")[0]
    assert b" 200 " in served.said(b"GET /health HTTP/1.0\r\n\r\n").split(b"\r\n")[0]


def test_without_a_place_for_a_token_nothing_can_be_changed(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """Reading goes on."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    served = serve()
    assert served.get("/health").status == 200
    answer = served.knowing("guess").ask("POST", "/emergency/stop")
    assert answer.status == 403
    assert "set OTEL_TRADING_OPS_TOKEN" in answer.json["detail"]


class Added:
    """Pages of somebody else."""

    def add_routes(self, application: web.Application) -> None:
        @access(Access.OPEN)
        async def page(_: web.Request) -> web.Response:
            return web.Response(text="hello", headers={"Content-Security-Policy": "default-src 'self'"})

        async def data(_: web.Request) -> web.Response:
            return web.json_response({"known": CALLER.get().known})

        async def live(request: web.Request) -> web.WebSocketResponse:
            answering = web.WebSocketResponse()
            await answering.prepare(request)
            async for message in answering:
                await answering.send_str(message.data)
            return answering

        application.router.add_get("/page", page)
        application.router.add_get("/data", data)
        application.router.add_post("/data", data)
        application.router.add_get("/live", live)


def test_pages_of_others_are_guarded_alike(serve: Serve) -> None:
    """Reading and changing as of our own, unless they say otherwise."""
    served = serve(host="0.0.0.0", token=TOKEN, providers=[Added()])
    page = served.get("/page")
    assert page.status == 200
    assert page.headers["content-security-policy"] == "default-src 'self'"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert [served.get("/data").status, served.ask("POST", "/data").status] == [401, 401]
    assert served.knowing().ask("POST", "/data").json == {"known": True}


async def test_a_websocket_needs_what_a_page_needs(serve: Serve) -> None:
    """The cookie of a session opens it, from the same origin only; it may stay open for long."""
    import aiohttp

    served: Served = serve(host="0.0.0.0", token=TOKEN, providers=[Added()])
    origin = f"http://127.0.0.1:{served.port}"
    cookie = served.ask("POST", "/login", {"token": TOKEN}).headers["set-cookie"].partition(";")[0]
    async with aiohttp.ClientSession() as client:
        for headers in ({}, {"Cookie": cookie}, {"Cookie": cookie, "Origin": "http://evil.example"}):
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await client.ws_connect(f"{origin}/live", headers=headers)
        async with client.ws_connect(f"{origin}/live", headers={"Cookie": cookie, "Origin": origin}) as live:
            await live.send_str("hello")
            assert (await live.receive(timeout=10)).data == "hello"
        async with client.ws_connect(f"{origin}/live", headers={"Authorization": f"Bearer {TOKEN}"}) as live:
            await live.send_str("hello")
            assert (await live.receive(timeout=10)).data == "hello"


def test_addresses_have_allowances() -> None:
    """Of requests, with one of its own for probes, and of wrong tokens."""
    now = 0.0
    limits = Limits(10, clock=lambda: now)
    assert [limits.request("a", "READ") > 0 for _ in range(21)] == [False] * 20 + [True]
    assert not limits.request("a", "PROBE")
    assert not limits.request("b", "READ")
    now = 0.1
    assert not limits.request("a", "READ")
    assert limits.request("a", "READ")
    for _ in range(10):
        assert not limits.barred("a")
        limits.failure("a")
    assert limits.barred("a") == pytest.approx(6)
    now += 6
    assert not limits.barred("a")
    for n in range(10_000):
        limits.request(f"address {n}", "READ")
    assert len(limits._requests._left) == 4_096  # type: ignore[union-attr]
