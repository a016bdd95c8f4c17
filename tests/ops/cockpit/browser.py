"""A real browser without a window, steered by its own protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import json
import os
import shutil
import tempfile
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "headless_shell")
INSTALL = "no Chromium here; on Debian and Ubuntu: apt-get install --yes --no-install-recommends chromium"

_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync"),
    *("--remote-debugging-port=0", "--remote-allow-origins=*", "--no-default-browser-check", "--no-proxy-server"),
)
_KEYS = {"Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowRight": 39}
_SHIFT = 8
_PATIENCE = 60.0


def find() -> str | None:
    """Where the browser is."""
    return next((path for name in PROGRAMS if (path := shutil.which(name))), None)


class Page:
    """One page of a browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reading = asyncio.ensure_future(self._read())
        self.troubles: list[str] = []
        """What the page's scripts threw or complained of."""
        self.requests: list[str] = []
        """The addresses it asked for."""

    async def _read(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                waiting = self._waiting.pop(told["id"], None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(told)
                continue
            method, params = told["method"], told["params"]
            if method == "Runtime.exceptionThrown":
                self.troubles.append(str(params["exceptionDetails"].get("exception", {}).get("description")))
            elif method == "Runtime.consoleAPICalled" and params["type"] in {"error", "warning", "assert"}:
                self.troubles.append(
                    " ".join(str(each.get("value", each.get("description"))) for each in params["args"])
                )
            elif method == "Log.entryAdded" and params["entry"]["source"] in {"security", "violation"}:
                self.troubles.append(params["entry"]["text"])
            elif method == "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Have the browser do something; what it answers."""
        number = next(self._ids)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_str(json.dumps({"id": number, "method": method, "params": params}))
        told = await asyncio.wait_for(waiting, _PATIENCE)
        if "error" in told:
            raise RuntimeError(f"{method}: {told['error']}")
        return dict(told["result"])

    async def open(self, url: str, *, width: int = 1280, height: int = 900, **media: str) -> None:
        """Show an address on a screen of that size; ``media`` such as ``prefers_color_scheme="dark"``."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            await self.send(f"{domain}.enable")
        await self.size(width, height)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        await self.send("Emulation.setEmulatedMedia", features=features)
        await self.send("Page.navigate", url=url)

    async def size(self, width: int, height: int) -> None:
        """Have a screen of that size."""
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )

    async def run(self, script: str) -> Any:
        """The value of an expression, awaited if it is a promise."""
        told = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise RuntimeError(f"{script}: {told['exceptionDetails']}")
        return told["result"].get("value")

    async def until(self, script: str, patience: float = _PATIENCE) -> Any:
        """Wait until an expression is true; its value."""
        deadline, found = time.monotonic() + patience, None
        while time.monotonic() < deadline:
            with contextlib.suppress(RuntimeError):  # the page may be on its way
                found = await self.run(script)
            if found:
                return found
            await asyncio.sleep(0.05)
        text = await self.run("document.body.innerText.slice(0, 600)")
        raise AssertionError(f"{script} stays {found!r}; {self.troubles}; the page: {text}")

    async def text(self, selector: str) -> str:
        """What an element says."""
        return str(await self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    async def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key."""
        about: dict[str, Any] = {"key": key, "code": "Space" if key == " " else key, "modifiers": _SHIFT * shift}
        about["windowsVirtualKeyCode"] = _KEYS[key]
        text = {"Enter": "\r", " ": " "}.get(key)
        await self.send("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        await self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    async def write(self, text: str) -> None:
        """Type a text."""
        await self.send("Input.insertText", text=text)

    async def screenshot(self, path: Path, *, full: bool = True) -> None:
        """Take a picture of it."""
        told = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=full, fromSurface=True)
        await asyncio.to_thread(path.write_bytes, base64.b64decode(told["data"]))

    async def close(self) -> None:
        """Leave it."""
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._socket.close()


class Browser:
    """A browser that runs."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    @asynccontextmanager
    async def page(self) -> AsyncIterator[Page]:
        """A new page."""
        async with self._session.put(f"http://{self._address}/json/new?about:blank") as answer:
            target = await answer.json()
        socket = await self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)
        page = Page(socket)
        try:
            yield page
        finally:
            await page.close()
            with contextlib.suppress(aiohttp.ClientError):
                async with self._session.get(f"http://{self._address}/json/close/{target['id']}") as answer:
                    await answer.read()


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Browser]:
    """Start the browser with a profile of its own, and end it."""
    program = find()
    assert program is not None, INSTALL
    sockets = tempfile.mkdtemp(prefix="browser-")  # sockets want a short path, which a test's folder has not
    homes = dict.fromkeys(("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"), str(folder))
    process = await asyncio.create_subprocess_exec(
        *(program, *_FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"),
        env={**os.environ, **homes, "TMPDIR": sockets},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        port = await _port(folder / "profile" / "DevToolsActivePort", process)
        async with aiohttp.ClientSession() as session:
            yield Browser(session, f"127.0.0.1:{port}")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        await process.wait()
        shutil.rmtree(sockets, ignore_errors=True)


async def _port(file: Path, process: asyncio.subprocess.Process) -> int:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        assert process.returncode is None, f"the browser ended with {process.returncode}"
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((await asyncio.to_thread(file.read_text)).splitlines()[0])
        await asyncio.sleep(0.05)
    raise AssertionError("the browser does not start")
