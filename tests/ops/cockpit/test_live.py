"""The conversation between page and bot."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from otel_trading.ops.cockpit.hub import UNDER_WAY, WATCHERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading import Telemetry
    from tests.core.conftest import Configure


def trade(handle: Telemetry, name: str = "c-1") -> None:
    """One order from its submission to its execution."""
    trading = handle.trading
    with handle.tick_to_trade("BTC/USDT", strategy="grid") as tick:
        tick.keep()
        trading.order_submitted(name, venue="binance", symbol="BTC/USDT", side="buy", quantity="0.1", price=64_000)
    trading.order_acknowledged(name, venue_order_id=f"v-{name}")
    trading.order_filled(name, quantity="0.1", price=64_000, execution_id=f"e-{name}")
    trading.position_changed("binance", "BTC/USDT", "0.1", price=64_000, currency="USDT", strategy="grid")
    trading.pnl_changed("1.5", currency="USDT", strategy="grid")


async def soon(true: Callable[[], object]) -> None:
    """Wait until something holds."""
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.1)
    raise AssertionError("it does not come to that")


async def test_all_first_then_what_changed(configured: Configure, watching: Any) -> None:
    """A whole state, then differences with growing numbers and nothing else."""
    handle = configured()
    handle.trading.order_submitted("c-0", venue="binance", symbol="BTC/USDT", side="buy", quantity=1)
    async with watching(handle) as page:
        await page.next()
        assert page.messages[0]["type"] == "full"
        assert page.state["orders"]["rows"]["c-0"]["status"] == "pending_new"
        trade(handle)
        await page.until(lambda page: page.state["executions"]["fills"])
        fill = next(iter(page.state["executions"]["fills"].values()))
        assert (fill["order"], fill["quantity"], fill["price"]) == ("c-1", 0.1, 64_000)
        assert [message["seq"] for message in page.messages] == list(range(1, len(page.messages) + 1))
        assert {message["type"] for message in page.messages[1:]} == {"delta"}
        assert page.state["orders"]["open"] == 1
        position = next(iter(page.state["money"]["positions"].values()))
        assert (position["quantity"], position["notional"]) == (0.1, 6_400)
        assert next(iter(page.state["money"]["pnl"].values()))["session"] == 1.5
        await page.until(lambda page: "60" in page.state["latency"]["order_acknowledged"]["windows"])


async def test_at_least_four_updates_a_second(configured: Configure, watching: Any) -> None:
    """Also when nothing happens: silence means that the line is broken."""
    handle = configured()
    async with watching(handle) as page:
        await page.next()
        fastest = 0
        for _ in range(10):  # a machine that is busy elsewhere may be late, but not always
            end, before = time.monotonic() + 2, len(page.messages)
            while time.monotonic() < end:
                await page.next()
            fastest = max(fastest, len(page.messages) - before)
            if fastest >= 8:
                break
        assert fastest >= 8


async def test_what_is_slow_gets_fewer_and_delays_nobody(configured: Configure, watching: Any) -> None:
    """A page that confirms nothing gets three updates; the others get theirs, and it catches up when it can."""
    handle = configured()
    async with watching(handle) as slow, watching(handle) as quick:
        for _ in range(UNDER_WAY):
            await slow.next(confirm=False)
        trade(handle)
        await quick.until(lambda page: page.state.get("executions", {}).get("fills"))
        for _ in range(5):
            await quick.next()
        with pytest.raises(TimeoutError):
            await slow.next(patience=0.5)
    # it has to be another one, as a timeout ends the first
    async with watching(handle) as slow:
        for _ in range(UNDER_WAY):
            await slow.next(confirm=False)
        trade(handle, "c-2")
        await asyncio.sleep(1)
        await slow.socket.send_str(json.dumps({"ack": UNDER_WAY}))
        await slow.until(lambda page: len(page.state["executions"]["fills"]) == 2)
        assert slow.messages[-1]["seq"] <= UNDER_WAY + 3


async def test_a_page_that_confirms_nothing_is_dropped(
    configured: Configure, watching: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A computer that was closed does not stay a watcher for ever."""
    monkeypatch.setattr("otel_trading.ops.cockpit.hub.SILENCE", 0.5)
    handle = configured()
    async with watching(handle) as gone, watching(handle) as there:
        for _ in range(UNDER_WAY):
            await gone.next(confirm=False)
        await there.until(lambda _: len(handle.cockpit.hub) == 1)


async def test_so_many_pages_and_no_more(configured: Configure, watching: Any) -> None:
    """Another one is told why it gets nothing."""
    handle = configured()
    async with aiohttp.ClientSession() as session:
        assert handle.ops is not None
        url = f"{handle.ops.url}/live"
        pages = [await session.ws_connect(url, max_msg_size=0) for _ in range(WATCHERS)]
        for page in pages:
            assert (await page.receive(60)).type is aiohttp.WSMsgType.TEXT
        late = await session.ws_connect(url)
        told = await late.receive(60)
        assert (told.type, told.data) == (aiohttp.WSMsgType.CLOSE, 1013)
        assert "pages are open already" in str(told.extra)
        await late.close()
        for page in pages:
            await page.close()
    async with watching(handle) as page:
        await page.next()


async def test_nobody_watches_and_nothing_is_read(configured: Configure, watching: Any) -> None:
    """Only one point a second is kept; when the last page is closed the rest is let go of."""
    handle = configured()
    cockpit = handle.cockpit
    await soon(lambda: cockpit.history.added >= 2)
    assert not cockpit._sections
    trade(handle)
    async with watching(handle) as page:
        await page.until(lambda page: page.state.get("traces"))
        assert page.history["cpu"]
    await soon(lambda: not cockpit._sections and not cockpit.traces.rows())


async def test_the_page_of_another_site_may_not_watch(configured: Configure, watching: Any) -> None:
    """Any site can open a WebSocket to this host; the browser says which one it is."""
    handle = configured()
    assert handle.ops is not None
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with watching(handle, headers={"Origin": "https://evil.example"}):
            pass
    assert refused.value.status == 403
    async with watching(handle, headers={"Origin": handle.ops.url}) as page:
        await page.next()


async def test_nonsense_from_a_page_is_ignored(configured: Configure, watching: Any) -> None:
    """Whatever it sends, the updates go on."""
    handle = configured()
    async with watching(handle) as page:
        for nonsense in ("{", "[]", "null", '{"ack":99999}', '{"ack":"x"}', '{"trace":7}', '{"ack":-1}', "[" * 2_000):
            await page.next()
            await page.socket.send_str(nonsense)
        await page.socket.send_bytes(b"\x00\xff")
        for _ in range(5):
            await page.next()
        await page.socket.send_str(json.dumps({"trace": "../../etc/passwd"}))
        while (told := await page.next())["type"] != "trace":
            pass
        assert told["trace"] is None


async def test_a_trace_in_all_detail(configured: Configure, watching: Any) -> None:
    """A line for each trace that was kept; its spans with attributes when somebody asks."""
    handle = configured()
    with handle.tick_to_trade("BTC/USDT", strategy="grid") as tick:
        tick.keep()
        with handle.tracer.start_as_current_span("decide") as inner:
            inner.set_attribute("edge", 4.2)
            inner.set_attribute("api_key", "AKIAIOSFODNN7EXAMPLE")
            inner.add_event("seen", {"price": 64_000})
    async with watching(handle) as page:
        await page.until(lambda page: page.state.get("traces"))
        trace_id, row = next(iter(page.state["traces"].items()))
        assert (row["name"], row["spans"], row["symbol"]) == ("tick_to_trade", 2, "BTC/USDT")
        assert len(row["bars"]) == 2
        await page.socket.send_str(json.dumps({"trace": trace_id}))
        while (told := await page.next())["type"] != "trace":
            pass
        root, span = told["trace"]["spans"]
        assert (root["depth"], span["depth"], span["name"]) == (0, 1, "decide")
        assert span["attributes"]["edge"] == "4.2"
        assert "AKIAIOSFODNN7EXAMPLE" not in json.dumps(told)
        assert span["events"][0][1:] == ["seen", {"price": "64000"}]


async def test_log_lines_as_they_are_written(configured: Configure, watching: Any) -> None:
    """Those from before the page was opened, then the new ones, without secrets."""
    handle = configured()
    handle.log("grid").info("begun", price=1.5)
    async with watching(handle) as page:
        await page.until(lambda page: any(line["message"] == "begun" for line in page.lines))
        handle.log("grid").warning("no answer", url="https://user:hunter2@venue.example", api_secret="s3cr3t-s3cr3t")
        await page.until(lambda page: any(line["message"] == "no answer" for line in page.lines))
        line = page.lines[-1]
        assert (line["level"], line["service"]) == ("WARNING", "grid")
        assert "hunter2" not in json.dumps(page.lines)
        assert "s3cr3t-s3cr3t" not in json.dumps(page.lines)


async def test_it_goes_on_while_the_bots_thread_is_stuck(configured: Configure) -> None:
    """The bot's thread is this one: it blocks, and the updates of that time are there afterwards."""
    handle = configured(runtime_enabled=True, stall_threshold=0.2)
    async with aiohttp.ClientSession() as session:
        assert handle.ops is not None
        async with session.ws_connect(f"{handle.ops.url}/live", max_msg_size=0) as socket:
            first = json.loads((await socket.receive(60)).data)
            await socket.send_str(json.dumps({"ack": first["seq"]}))
            await asyncio.sleep(0.5)
            time.sleep(1.5)  # noqa: ASYNC251 - the point
            blocked_until = time.time() * 1e3
            times = [json.loads((await socket.receive(60)).data)]
            assert times[0]["time"] < blocked_until
            async with asyncio.timeout(60):
                while '"late"' not in json.dumps(times):
                    times.append(json.loads((await socket.receive()).data))
                    await socket.send_str(json.dumps({"ack": times[-1]["seq"]}))


async def test_a_part_that_fails_costs_itself(
    configured: Configure, watching: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The other parts are shown, and it is said once."""
    handle = configured()

    def failing() -> None:
        raise RuntimeError("no report")

    monkeypatch.setattr(handle.health, "report", failing)
    async with watching(handle) as page:
        for _ in range(12):
            await page.next()
        assert "health" not in page.state
        assert page.state["about"]["service"] == "test-bot"
    assert caplog.text.count("health cannot be shown on the live page: RuntimeError: no report") == 1


async def test_a_state_that_is_told_again_and_again_does_not_grow(configured: Configure, watching: Any) -> None:
    """Orders that come and go leave no rows behind."""
    handle = configured()
    async with watching(handle) as page:
        await page.next()
        for place in range(400):
            trade(handle, f"c-{place}")
            if place % 40 == 0:
                await page.next()
        await page.until(lambda page: page.state["orders"]["submitted"] == 400)
        assert len(page.state["executions"]["fills"]) == 50
        await page.until(lambda page: len(page.state["traces"]) <= 50)
        assert not page.state["orders"]["rows"]
    assert len(handle.cockpit.hub) <= 1
