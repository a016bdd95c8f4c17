from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

import otel_trading.configure  # noqa: F401 - the module is shadowed by its function, and is taken from sys.modules
from otel_trading.logs.tail import tail
from otel_trading.operations import Operations
from otel_trading.reloading.reloading import Reloading
from otel_trading.tracing.native.latest import latest
from tests.core.conftest import configured, receiver
from tests.ops.cockpit.browser import INSTALL, Browser, browser, find
from tests.ops.cockpit.watching import Watching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from otel_trading import Telemetry

__all__ = ["chromium", "configured", "receiver", "watching"]


@pytest.fixture(autouse=True)
def _a_bot_of_its_own() -> None:
    """Let nothing of another test be seen: telemetry, its orders and what watches it are the process's."""
    current: Telemetry | None = sys.modules["otel_trading.configure"]._current
    tail().clear()
    latest().clear()
    if current is not None:
        current.operations.stop()
        current.operations = Operations(current)
        current.reloading = Reloading(current, current.operations)
        current.forget_trading()
        trading = current._trading
        if trading is not None:
            trading.listened_to_by({})
            current.operations.attend(trading, current.meter, current.timers.pump)


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Browser]:
    """A real browser."""
    if find() is None:
        if os.environ.get("REQUIRE_BACKENDS"):
            pytest.fail(INSTALL)
        pytest.skip(INSTALL)
    async with browser(tmp_path / "browser") as running:
        yield running


@pytest.fixture
def watching() -> Any:
    """Watch a bot as the page does."""

    def watch(telemetry: Telemetry, **options: Any) -> AbstractAsyncContextManager[Watching]:
        return _watch(telemetry, **options)

    return watch


@asynccontextmanager
async def _watch(telemetry: Telemetry, **options: Any) -> AsyncIterator[Watching]:
    assert telemetry.ops is not None
    url = f"{telemetry.ops.url}/live"
    async with aiohttp.ClientSession() as session, session.ws_connect(url, max_msg_size=0, **options) as socket:
        yield Watching(socket)
