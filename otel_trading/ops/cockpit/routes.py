"""The addresses of the live page."""

from __future__ import annotations

import gzip
import hashlib
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from aiohttp import web

from otel_trading.ops.access import Access, access

if TYPE_CHECKING:
    from otel_trading.ops.cockpit.cockpit import Cockpit

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class _Asset(NamedTuple):
    body: bytes
    packed: bytes
    kind: str
    tag: str


def add_routes(application: web.Application, cockpit: Cockpit) -> None:
    """Add the page at ``/``, what it consists of below ``/cockpit/``, and its figures at ``/live``."""
    page = _Page(cockpit)
    application.router.add_get("/", page.html)
    application.router.add_get("/cockpit/{name}", page.asset)
    application.router.add_get("/live", page.live)


class _Page:
    def __init__(self, cockpit: Cockpit) -> None:
        self._cockpit = cockpit
        self._assets = _read()

    @access(Access.OPEN)
    async def html(self, request: web.Request) -> web.Response:
        return self._answer(request, "index.html", "no-store")

    @access(Access.OPEN)
    async def asset(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in self._assets or name == "index.html":
            raise web.HTTPNotFound
        return self._answer(request, name, "no-cache")

    @access(Access.READ)
    async def live(self, request: web.Request) -> web.StreamResponse:
        if not _own_page(request):
            return web.json_response({"error": "a page of another site may not watch"}, status=403)
        if request.headers.get("Upgrade", "").lower() != "websocket":
            return web.json_response({"error": "this address speaks WebSocket; the page is at /"}, status=426)
        return await self._cockpit.hub.serve(request)

    def _answer(self, request: web.Request, name: str, caching: str) -> web.Response:
        asset = self._assets[name]
        headers = {**HEADERS, "Cache-Control": caching}
        if caching != "no-store":
            headers["ETag"] = f'"{asset.tag}"'
            if any(tag.value in {asset.tag, "*"} for tag in request.if_none_match or ()):
                return web.Response(status=304, headers=headers)
        headers["Vary"] = "Accept-Encoding"
        body = asset.body
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            body = asset.packed
        return web.Response(body=body, headers={**headers, "Content-Type": asset.kind})


def _own_page(request: web.Request) -> bool:
    """Whether it is the page itself that asks; what is no browser says nothing of where it comes from."""
    origin = request.headers.get("Origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("Host")


def _read() -> dict[str, _Asset]:
    """All files of the page, in memory: they are few, and the disk may hang when the page is needed most."""
    assets = {}
    for file in files("otel_trading.ops.cockpit").joinpath("page").iterdir():
        kind = _TYPES.get(f".{file.name.rpartition('.')[2]}")
        if kind is not None:
            body = file.read_bytes()
            tag = hashlib.sha256(body).hexdigest()[:20]
            assets[file.name] = _Asset(body, gzip.compress(body, mtime=0), kind, tag)
    return assets
