"""The page in a real browser."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.alerts.model import AlertLevel, AlertPayload
from otel_trading.health.model import Component, HealthReport
from tests.ops.cockpit.test_live import trade

if TYPE_CHECKING:
    from otel_trading import Telemetry
    from tests.core.conftest import Configure
    from tests.ops.cockpit.browser import Browser, Page

pytestmark = pytest.mark.timeout(300)

_ACCESSIBLE = Path(__file__).with_name("accessible.js").read_text()
_LIVE = "document.documentElement.dataset.link === 'live'"
_LOST = "document.documentElement.dataset.link === 'lost'"
_HOSTILE = (
    "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>\"'`${window.hacked=1}\x00\x1b[31m\u202e"
)


def bad_day(handle: Telemetry, mark: str = "") -> None:
    """Something of everything, most of it wrong."""
    trading = handle.trading
    book = trading.feeds.feed(f"kraken{mark}", f"book{mark}", symbol=f"BTC/EUR{mark}", type="book_update", stale=0.5)
    book.message()
    trading.connection_changed(f"kraken{mark}", "connected", connection=f"data{mark}")
    trading.connection_changed(f"kraken{mark}", "disconnected", connection=f"data{mark}", error=f"reset{mark}")
    trading.breaker_changed(f"daily_loss{mark}", "open", reason=f"950 lost{mark}")
    trading.limit_checked(f"exposure{mark}", used=12, limit=10, symbol=f"BTC{mark}", text=mark)
    trading.limit_checked("daily_loss", used=950, limit=1_000)
    trading.limit_checked("turnover", used=1, limit=1_000)
    trading.risk_measured(f"var{mark}", 12.5, currency=f"USDT{mark}", confidence="0.99")
    trading.position_changed(f"kraken{mark}", f"BTC/EUR{mark}", -1, price=50_000, currency="EUR", unrealized=-4)
    trading.balance_changed(f"kraken{mark}", f"EUR{mark}", 100, free=50)
    trading.pnl_changed(-950, currency=f"USDT{mark}", strategy=f"grid{mark}", unrealized=-4)
    for place in range(3):
        trading.order_submitted(f"c{place}{mark}", venue=f"kraken{mark}", symbol="BTC/EUR", side="buy", quantity=1)
    trading.order_rejected(f"c0{mark}", reason=f"funds{mark}", text=f"no{mark}")
    trading.order_filled(f"c1{mark}", quantity=1, price=50_000, execution_id=f"e{mark}")
    trading.trade_completed(
        strategy=f"grid{mark}", trade_id="t", outcome=f"failed{mark}", net_profit=-3, currency="EUR"
    )
    with handle.tick_to_trade(f"BTC/EUR{mark}", strategy=f"grid{mark}") as tick:
        tick.keep()
        with handle.tracer.start_as_current_span(f"decide{mark}") as span, suppress(ValueError):
            span.set_attribute(f"key{mark}", mark or "x")
            span.add_event(f"event{mark}", {"x": mark})
            raise ValueError(mark)
    timer = handle.timer("bot.decide", budget=0.001, attributes={"x": mark})
    timer.record(0.5)
    log = handle.log(f"grid{mark}")
    log.info("hello%s", mark, event=f"event{mark}", note=mark)
    log.error("broken%s", mark, error=ValueError(mark))
    now = datetime.now(UTC)
    for level in AlertLevel:
        text = f"{level} alert{mark}"
        handle.alerts.fire(
            AlertPayload(level, text, f"message{mark}", now, {f"field{mark}": mark}, level, f"subject{mark}", "firing")
        )
    down = Component(f"kraken{mark}", "down", critical=True, reasons=(f"no frames{mark}",), details={"age": mark})
    report = HealthReport("down", ready=False, reasons=(f"kraken{mark}",), components=(down, Component("b", "healthy")))
    handle.health.report = lambda: report  # type: ignore[method-assign]


async def opened(page: Page, handle: Telemetry, **screen: Any) -> None:
    """Open the page of a bot."""
    assert handle.ops is not None
    await page.open(f"{handle.ops.url}/", **screen)
    await page.until(_LIVE)


async def test_figures_move(configured: Configure, chromium: Browser) -> None:
    """At least four times a second, from the server and nowhere else, without a complaint of the browser."""
    handle = configured()
    async with chromium.page() as page:
        await opened(page, handle)
        await page.until("parseFloat(document.querySelector('#rate').textContent.match(/[\\d.]+/)?.[0]) >= 4")
        trade(handle)
        await page.until("document.querySelector('#fills').innerText.includes('64,000')")
        await page.until("document.querySelector('#positions').innerText.includes('long 0.1')")
        await page.until("document.querySelector('#latencies').innerText.includes('order acknowledged')")
        await page.until("document.querySelectorAll('#trace-list button').length > 0")
        await page.until("document.querySelectorAll('.tile svg path.line[d^=M]').length >= 3")
        assert await page.text("h1") == "test-bot"
        assert await page.run("document.title") == "✔ · test-bot"
        assert handle.ops is not None
        assert all(url.startswith(handle.ops.url) for url in page.requests)
        assert not page.troubles


async def test_what_is_wrong_is_said_first(configured: Configure, chromium: Browser) -> None:
    """In the title, the icon, and in words above everything else; each leads to its part of the page."""
    handle = configured(runtime_enabled=True)
    bad_day(handle)
    async with chromium.page() as page:
        await opened(page, handle)
        await page.until("document.querySelector('#problems').innerText.includes('No data from kraken')")
        said = await page.text("#problems")
        for problem in ("Breaker daily_loss is open: 950 lost", "Limit exposure of BTC is reached", "kraken is down"):
            assert problem in said
        assert (await page.text("#verdict-title")).startswith("✖ ")
        assert (await page.run("document.title")).startswith("✖ ")
        assert (await page.run("document.querySelector('#icon').href")).endswith("critical.svg")
        assert "Critical: " in await page.run("document.querySelector('#announce').textContent")
        links = await page.run("[...document.querySelectorAll('#problems a')].map(a => a.getAttribute('href'))")
        for link in links:
            assert await page.run(f"!!document.querySelector({json.dumps(link)})")
        top = await page.run("document.querySelector('#problems li').getBoundingClientRect().bottom")
        assert top < 400
        assert not page.troubles


async def test_nothing_that_comes_in_is_taken_for_markup(configured: Configure, chromium: Browser) -> None:
    """Hostile texts in every field are shown as texts."""
    handle = configured()
    bad_day(handle, _HOSTILE)
    async with chromium.page() as page:
        await opened(page, handle)
        await page.until("document.querySelectorAll('#trace-list button').length > 0")
        await page.until("document.querySelector('#log').innerText.includes('hello<img')")
        await page.run("document.querySelectorAll('details').forEach(each => each.open = true)")
        await page.run("[...document.querySelectorAll('#trace-list button')].at(-1).click()")
        await page.until("document.querySelectorAll('.span').length > 0")
        await asyncio.sleep(1)
        assert await page.run("window.hacked") is None
        assert await page.run("document.querySelectorAll('main img, dialog img, main script').length") == 0
        for part in ("#problems", "#alerts", "#risk", "#orders", "#venues", "#health", "#traces", "#logs", "#trace"):
            shown = await page.run(f"document.querySelector('{part}').textContent.includes('onerror=')")
            assert shown, part
        assert not page.troubles


@pytest.mark.parametrize("scheme", ["dark", "light"])
async def test_everybody_can_use_it(configured: Configure, chromium: Browser, scheme: str) -> None:
    """Names, headings, tables, contrast: on a good day, on a bad one, with each dialog, and without a line."""
    handle = configured(runtime_enabled=True)
    async with chromium.page() as page:

        async def check(when: str) -> None:
            told = await page.run(_ACCESSIBLE)
            assert told["found"] == [], when
            assert told["texts"] > 20

        await opened(page, handle, prefers_color_scheme=scheme)
        await check("nothing happened")
        bad_day(handle)
        await page.until("document.querySelectorAll('#problems li').length > 6")
        await page.until("document.querySelectorAll('#trace-list button').length > 0")
        await page.run("document.querySelectorAll('details').forEach(each => each.open = true)")
        await check("a bad day")
        await page.size(320, 640)
        await check("on a phone")
        await page.run("document.querySelector('#trace-list button').click()")
        await page.until("document.querySelectorAll('.span').length > 0")
        await page.run("document.querySelectorAll('.span').forEach(each => each.open = true)")
        await check("a trace")
        await page.press("Escape")
        await page.run("document.querySelector('#stop').click()")
        await check("the emergency stop")
        await page.press("Escape")
        handle.emergency.stop("test")
        await page.until("document.title.includes('STOPPED')")
        await check("stopped")
        handle.shutdown(2)
        await page.until(_LOST)
        await check("without a line")


@pytest.mark.parametrize(("width", "height"), [(320, 568), (390, 844), (768, 1_024), (1_280, 800), (3_840, 2_160)])
async def test_it_fits(configured: Configure, chromium: Browser, width: int, height: int) -> None:
    """From a small phone to a wall: nothing is outside, and what is wrong is on the first screen."""
    handle = configured(runtime_enabled=True)
    bad_day(handle, "AVeryLongNameWithoutAnySpaceWhichNoTableCanBreakByItself")
    async with chromium.page() as page:
        await opened(page, handle, width=width, height=height)
        await page.until("document.querySelectorAll('#problems li').length > 6")
        await page.until("document.querySelectorAll('#trace-list button').length > 0")
        assert await page.run("document.documentElement.scrollWidth") <= width
        assert await page.run("document.querySelector('#verdict-title').getBoundingClientRect().bottom") < height
        assert await page.run("document.querySelector('#stop').getBoundingClientRect().right") <= width


async def test_the_emergency_stop_needs_no_mouse(configured: Configure, chromium: Browser) -> None:
    """To the button by tab, a reason, a second yes; and back again. A reason that is missing is asked for."""
    handle = configured(ops_token="s3cret-token")
    async with chromium.page() as page:
        await opened(page, handle)
        await page.until("!document.querySelector('#stop').disabled")
        await page.press("Tab")
        assert await page.run("document.activeElement.className") == "skip"
        for _ in range(5):
            await page.press("Tab")
            if await page.run("document.activeElement.id") == "stop":
                break
        outline = await page.run("getComputedStyle(document.activeElement).outlineStyle")
        assert (await page.run("document.activeElement.id"), outline) == ("stop", "solid")
        await page.press("Enter")
        assert await page.run("document.activeElement.id") == "reason"
        await page.press("Enter")
        assert await page.text("#stopping-error") == "Say why, in a few words."
        assert not handle.emergency.engaged
        for _ in range(6):  # the focus stays in the dialog, or goes to the browser's own controls
            await page.press("Tab")
            inside = "document.querySelector('#stopping').contains(document.activeElement)"
            assert await page.run(f"{inside} || document.activeElement === document.body")
        await page.press("Escape")
        assert not await page.run("document.querySelector('#stopping').open")
        assert await page.run("document.activeElement.id") == "stop"
        await page.press("Enter")
        await page.write("prices look wrong")
        await page.press("Enter")
        assert "Reason: prices look wrong" in await page.text("#stopping-confirm")
        await page.press("Enter")  # too soon: one who leans on the key has not said yes twice
        assert not handle.emergency.engaged
        await asyncio.sleep(0.6)
        await page.press("Enter")  # what changes something needs the token, once
        await page.until("document.activeElement.id === 'token'")
        assert not handle.emergency.engaged
        await page.write("s3cret-token")
        await page.press("Enter")
        await page.until("document.title.includes('STOPPED')")
        assert handle.emergency.state.reason == "prices look wrong"
        # the answer and the update of the page come each on their own way
        await page.until("document.querySelector('#halt').innerText.includes('by http: prices look wrong')")
        await page.until("document.activeElement.id === 'stop'")
        await page.until("document.querySelector('#stop').textContent === 'Resume trading'")
        await page.press("Enter")
        await page.write("prices are right")
        await page.press("Enter")
        await asyncio.sleep(0.6)
        await page.press("Enter")
        await page.until("!document.title.includes('STOPPED')")
        assert not handle.emergency.engaged


async def test_stale_figures_never_look_live(configured: Configure, chromium: Browser) -> None:
    """When the bot goes the page says since when; when it comes back the page is live again by itself."""
    handle = configured()
    assert handle.ops is not None
    port, service = handle.ops.port, "document.querySelector('#service').textContent"
    async with chromium.page() as page:
        await opened(page, handle)
        await page.until(f"{service} === 'test-bot'")
        handle.shutdown(2)
        await page.until(_LOST)
        lost = await page.text("#lost")
        assert lost.startswith("Connection lost since ")
        assert "NOT live" in lost
        assert (await page.run("document.title")).startswith("◌ LOST")
        assert (await page.run("document.querySelector('#icon').href")).endswith("lost.svg")
        assert "grayscale" in await page.run("getComputedStyle(document.querySelector('main')).filter")
        again = configured(ops_port=port, service_name="bot-again")
        assert again.ops is not None
        await page.until(f"{service} === 'bot-again'")
        await page.until(_LIVE)
        assert await page.run("document.querySelector('#lost').hidden")


async def test_silence_is_noticed(configured: Configure, chromium: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that stands and brings nothing is as good as none."""
    handle = configured()
    async with chromium.page() as page:
        await opened(page, handle)
        monkeypatch.setattr(handle.cockpit.hub, "publish", lambda _: None)
        await page.until(_LOST)
        assert "Nothing has come from the bot" in await page.text("#lost")
        monkeypatch.undo()
        await page.until(_LIVE)


async def test_two_watch(configured: Configure, chromium: Browser) -> None:
    """Both see the same."""
    handle = configured()
    async with chromium.page() as one, chromium.page() as other:
        await opened(one, handle)
        await opened(other, handle)
        trade(handle)
        for page in (one, other):
            await page.until("document.querySelector('#fills').innerText.includes('64,000')")
            await page.until("document.querySelector('#cost').textContent.includes('watching: 2')")


async def test_whoever_has_no_token_is_asked_for_it(configured: Configure, chromium: Browser) -> None:
    """Nothing is shown before it is right; afterwards the page works as ever, the emergency stop included."""
    handle = configured(ops_host="0.0.0.0", ops_token="s3cret-token")
    assert handle.ops is not None
    async with chromium.page() as page:
        await page.open(f"http://127.0.0.1:{handle.ops.port}/")
        await page.until("document.querySelector('#login').open")
        assert await page.run("document.activeElement.id") == "token"
        assert "test-bot" not in await page.run("document.body.textContent")
        await page.press("Escape")
        await page.write("wrong")
        await page.press("Enter")
        await page.until("document.querySelector('#login-error').textContent !== ''")
        await page.run("document.querySelector('#token').value = ''")
        await page.write("s3cret-token")
        await page.press("Enter")
        await page.until(_LIVE)
        assert not await page.run("document.querySelector('#login').open")
        await page.run("document.querySelector('#stop').click()")
        await page.write("test of the stop")
        await page.press("Enter")
        await asyncio.sleep(0.6)
        await page.press("Enter")
        await page.until("document.title.includes('STOPPED')")
        assert handle.emergency.engaged


async def test_logs_are_filtered(configured: Configure, chromium: Browser) -> None:
    """By level and by text; held while somebody reads."""
    handle = configured()
    log = handle.log("grid")
    async with chromium.page() as page:
        await opened(page, handle)
        log.info("all is well", price=5)
        log.warning("not so well")
        shown = "document.querySelector('#log').innerText"
        await page.until(f"{shown}.includes('not so well') && {shown}.includes('price=5')")
        await page.run(
            "{const level = document.querySelector('#log-level'); level.value = '3';"
            "level.dispatchEvent(new Event('input', {bubbles: true}))}"
        )
        assert not await page.run(f"{shown}.includes('all is well')")
        assert await page.run(f"{shown}.includes('not so well')")
        await page.run("document.querySelector('#log-hold').click()")
        count = "Number(document.querySelector('#log-count').textContent.match(/of the last ([\\d,]+)/)[1])"
        before = await page.run(count)
        log.error("while held")
        await page.until(f"{count} > {before}")
        assert not await page.run(f"{shown}.includes('while held')")
        await page.run("document.querySelector('#log-hold').click()")
        assert await page.run(f"{shown}.includes('while held')")
        assert not page.troubles


async def test_a_page_that_stays_open_does_not_grow(configured: Configure, chromium: Browser) -> None:
    """Rows, lines and traces that come and go leave nothing in the browser."""
    handle = configured()
    log = handle.log("grid")
    async with chromium.page() as page:
        await opened(page, handle)
        sizes = []
        for turn in range(4):
            end, place = time.monotonic() + 2, 0
            while time.monotonic() < end:
                trade(handle, f"c-{turn}-{place}")
                log.info("line %d", place)
                place += 1
                await asyncio.sleep(0.01)
            await asyncio.sleep(1)
            await page.send("HeapProfiler.collectGarbage")
            told = await page.send("Memory.getDOMCounters")
            sizes.append(
                (told["nodes"], told["jsEventListeners"], await page.run("document.querySelectorAll('*').length"))
            )
        assert sizes[-1][0] < 2 * sizes[1][0] + 2_000, sizes
        assert sizes[-1][1] <= sizes[1][1] + 200, sizes
        assert sizes[-1][2] < 8_000, sizes
        assert not page.troubles
