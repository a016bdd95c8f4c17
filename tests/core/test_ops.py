from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.core.conftest import Configure


def get(url: str, **headers: str) -> tuple[int, str, str]:
    """Status, content type and body of a page."""
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, response.headers["Content-Type"], response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_pages_answer_while_the_bots_thread_is_busy(configured: Configure) -> None:
    """The server has a thread of its own: the bot, which blocks here, is not asked."""
    handle = configured()
    assert handle.ops is not None
    assert get(f"{handle.ops.url}/health")[0] == 200
    status, content_type, body = get(f"{handle.ops.url}/status")
    assert (status, content_type) == (200, "application/json; charset=utf-8")
    assert json.loads(body)["service"] == "test-bot"
    assert set(json.loads(body)["signals"]) == {"traces", "metrics", "logs"}


def test_scraper_gets_the_format_it_asks_for(configured: Configure) -> None:
    """OpenMetrics when asked for, the classic text otherwise."""
    handle = configured()
    assert handle.ops is not None
    page = f"{handle.ops.url}/metrics"
    assert get(page)[1].startswith("text/plain")
    status, content_type, body = get(page, Accept="application/openmetrics-text;version=1.0.0")
    assert (status, content_type.split(";")[0]) == (200, "application/openmetrics-text")
    assert body.endswith("# EOF\n")


@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")  # contrib's way of instrumenting
def test_scrapes_are_not_measured_as_the_bots_requests(configured: Configure) -> None:
    """Also where aiohttp's server is instrumented before the ops server starts."""
    module = pytest.importorskip("opentelemetry.instrumentation.aiohttp_server")
    module.AioHttpServerInstrumentor().instrument()
    try:
        handle = configured()
        assert handle.ops is not None
        pages = [get(f"{handle.ops.url}/metrics")[2] for _ in range(3)]
    finally:
        module.AioHttpServerInstrumentor().uninstrument()
    assert "trading_telemetry_events_total" in pages[-1]
    assert "http_server" not in pages[-1]


def test_off_loopback_every_page_needs_the_token(configured: Configure) -> None:
    """Without the right bearer token a server on all addresses answers 401."""
    handle = configured(ops_host="0.0.0.0", ops_token="s3cret")
    assert handle.ops is not None
    page = f"http://127.0.0.1:{handle.ops.port}/metrics"
    assert [get(page)[0], get(page, Authorization="Bearer wrong")[0], get(page, Authorization="Bearer ü")[0]] == [
        401
    ] * 3
    assert get(page, Authorization="Bearer s3cret")[0] == 200


def test_off_loopback_without_a_token_is_not_served(configured: Configure) -> None:
    """An address others can reach needs a token first."""
    handle = configured(ops_host="0.0.0.0")
    assert handle.ops is None
    assert "OTEL_TRADING_OPS_TOKEN" in handle.status().problems[0]


def test_port_is_kept_or_moved_with_the_options(configured: Configure) -> None:
    """A reconfiguration keeps the server when its address stays and frees the port when it is switched off."""
    handle = configured()
    assert handle.ops is not None
    url = handle.ops.url
    configured(span_delay=0.3)
    assert handle.ops is not None
    assert handle.ops.url == url
    assert get(f"{url}/health")[0] == 200
    assert configured(ops_enabled=False).status().ops_url is None
    deadline = time.monotonic() + 5
    with pytest.raises(OSError, match=r"refused|reset|closed"):  # or the connection was there before the end
        while time.monotonic() < deadline:
            get(f"{url}/health")
            time.sleep(0.02)
