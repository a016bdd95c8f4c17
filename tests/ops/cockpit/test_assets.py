"""What the page consists of, as the server gives it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest

import otel_trading.ops.cockpit

if TYPE_CHECKING:
    from tests.core.conftest import Configure

FOLDER = Path(otel_trading.ops.cockpit.__file__).parent / "page"
FILES = sorted(FOLDER.iterdir())


async def test_the_page_is_never_stored_and_its_parts_are_asked_for_again(configured: Configure) -> None:
    """A bot that is updated has another page at the same address; what is unchanged is not sent again."""
    handle = configured()
    assert handle.ops is not None
    async with aiohttp.ClientSession(handle.ops.url) as session:
        async with session.get("/") as page:
            assert (page.status, page.headers["Cache-Control"], page.content_type) == (200, "no-store", "text/html")
            assert "default-src 'self'" in page.headers["Content-Security-Policy"]
            assert "unsafe" not in page.headers["Content-Security-Policy"]
        for file in FILES:
            if file.name == "index.html":
                continue
            async with session.get(f"/cockpit/{file.name}") as part:
                assert part.status == 200
                assert await part.read() == file.read_bytes()
                assert part.headers["X-Content-Type-Options"] == "nosniff"
                tag = part.headers["ETag"]
            async with session.get(f"/cockpit/{file.name}", headers={"If-None-Match": tag}) as part:
                assert (part.status, await part.read()) == (304, b"")
            async with session.get(f"/cockpit/{file.name}", headers={"If-None-Match": '"other"'}) as part:
                assert part.status == 200


@pytest.mark.parametrize(
    "path",
    ["/cockpit/../pages.py", "/cockpit/..%2f..%2fpages.py", "/cockpit/index.html", "/cockpit/no.js", "/cockpit/"],
)
async def test_no_other_file_can_be_had(configured: Configure, path: str) -> None:
    """Only the files of the page."""
    handle = configured()
    assert handle.ops is not None
    from yarl import URL

    async with aiohttp.ClientSession() as session, session.get(URL(f"{handle.ops.url}{path}", encoded=True)) as answer:
        assert answer.status == 404


async def test_the_figures_need_a_websocket(configured: Configure) -> None:
    """Somebody who opens the address is told where the page is."""
    handle = configured()
    assert handle.ops is not None
    async with aiohttp.ClientSession(handle.ops.url) as session, session.get("/live") as answer:
        assert answer.status == 426
        assert "the page is at /" in await answer.text()


def test_nothing_inline_and_nothing_from_elsewhere() -> None:
    """No script or style in the page itself, no address of another host, no text taken for markup."""
    html = (FOLDER / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", html)
    for file in FILES:
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|\burl\(", text), file.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), (
            file
        )
    used = {name for file in FILES for name in re.findall(r'"\./(\w+\.js)"', file.read_text())} | {"app.js"}
    assert used == {file.name for file in FILES if file.suffix == ".js"}


def test_every_id_that_scripts_ask_for_is_there() -> None:
    """A part that was renamed on one side only would be missing without a word."""
    there = set(re.findall(r'\sid="([^"]+)"', (FOLDER / "index.html").read_text()))
    for file in FILES:
        if file.suffix == ".js":
            asked = set(re.findall(r'(?:byId|new Table)\("([^"]+)"', file.read_text()))
            assert asked <= there, file.name
