"""Real servers to be asked: Redis and PostgreSQL where they are installed, HTTP and WebSocket by aiohttp."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Iterator

PASSWORD = "geh@im/wort"
_WAIT = 60.0


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[int]:
    """A Redis on a port of its own, and on ``redis.sock`` in the folder."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("Redis is not installed; run: apt-get install redis-server")
    port = free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--save", "", "--unixsocket", str(folder / "redis.sock"), *options],
        cwd=folder,
        stdout=subprocess.DEVNULL,
    )
    try:
        _listens(port)
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def postgres_server(folder: Path) -> Iterator[int]:
    """A PostgreSQL with the user ``bot`` and a password, on a port of its own."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres")) or [Path(shutil.which("postgres") or "")]
    programs = found[-1].resolve().parent
    if not (programs / "initdb").is_file():
        pytest.skip("PostgreSQL is not installed; run: apt-get install postgresql")
    owner = _owner()
    data, port = folder / "pg", free_port()
    data.mkdir()
    (folder / "password").write_text(PASSWORD, "utf-8")
    if owner is not None:  # the server refuses to be root
        for place in (folder, data, folder / "password"):
            shutil.chown(place, owner)
    who = {} if owner is None else {"user": owner, "group": owner, "extra_groups": []}
    made = [programs / "initdb", "-D", data, "-U", "bot", "-A", "scram-sha-256", "--pwfile", folder / "password", "-N"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, cwd="/", **who)  # type: ignore[call-overload]
    process = subprocess.Popen(  # type: ignore[call-overload]
        [programs / "postgres", "-D", data, "-p", str(port), "-k", data, "-c", "listen_addresses=127.0.0.1", "-F"],
        stderr=subprocess.DEVNULL,
        cwd="/",
        **who,
    )
    try:
        _listens(port)
        yield port
    finally:
        process.terminate()
        process.wait(_WAIT)


def _owner() -> str | None:
    """Who else runs the server where the tests are root's."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"


def _listens(port: int) -> None:
    deadline = time.monotonic() + _WAIT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


async def _ok(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _teapot(_: web.Request) -> web.Response:
    return web.Response(status=418)


async def _secret(request: web.Request) -> web.Response:
    return web.Response(status=200 if request.headers.get("X-Key") == PASSWORD else 403)


async def _answering(request: web.Request) -> web.WebSocketResponse:
    answer = web.WebSocketResponse(autoping=request.path != "/ws-silent")
    await answer.prepare(request)
    if request.path == "/ws-closing":
        await answer.close(code=1008)
    async for _ in answer:
        pass
    return answer


@contextmanager
def web_server() -> Iterator[str]:
    """``/ok``, ``/teapot`` (418), ``/secret`` (wants a header), ``/ws``, ``/ws-silent`` and ``/ws-closing``."""
    application = web.Application()
    for path, page in {"/ok": _ok, "/teapot": _teapot, "/secret": _secret}.items():
        application.router.add_get(path, page)
    for path in ("/ws", "/ws-silent", "/ws-closing"):
        application.router.add_get(path, _answering)
    listening = socket.create_server(("127.0.0.1", 0))
    loop, runner = asyncio.new_event_loop(), web.AppRunner(application, shutdown_timeout=0.1)

    async def start() -> None:
        await runner.setup()
        await web.SockSite(runner, listening).start()

    loop.run_until_complete(start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(_WAIT)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_WAIT)
        loop.close()


@contextmanager
def mute_server() -> Iterator[int]:
    """Accepts connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        yield listening.getsockname()[1]


@contextmanager
def saying_server(words: bytes) -> Iterator[int]:
    """Answers anything with these words, and closes."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        listening.settimeout(0.1)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = listening.accept()
                except OSError:
                    continue
                with connection:
                    connection.recv(1_024)
                    connection.sendall(words)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            thread.join(_WAIT)
