"""The simulated venues on a thread of their own, a server that answers as it is told, and ccxt clients of them."""

from __future__ import annotations

import asyncio
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import ccxt
import ccxt.async_support

from otel_trading.demo.exchange import _addresses, make_exchange
from otel_trading.demo.venue import GeneratedMarket, Venues
from otel_trading.demo.venue.venues import API_KEY, SECRET

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator, Mapping

_WITHIN = 60.0


class Running:
    """Both venues, on a thread, for clients on any other."""

    def __init__(self, venues: Venues, loop: asyncio.AbstractEventLoop) -> None:
        self.venues = venues
        self._loop = loop

    def do(self, doing: Coroutine[Any, Any, Any]) -> Any:
        """Have it done on the venues' loop."""
        return asyncio.run_coroutine_threadsafe(doing, self._loop).result(_WITHIN)

    def fault(self, fault: str) -> None:
        """Switch a fault on."""
        self.do(self.venues.switch_on(fault))

    def sync(self, **config: Any) -> Any:
        """A synchronous client of the spot venue."""
        return sync_client(self.venues.spot_url, **config)

    def pro(self, venue: Any = "spot", **options: Any) -> Any:
        """An asynchronous client."""
        exchange = make_exchange(venue, self.venues.urls[venue], options=options)
        exchange.timeout_on_exit = 0
        return exchange


@contextmanager
def running() -> Iterator[Running]:
    """Start both venues."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    venues = Venues(GeneratedMarket(1))
    made = Running(venues, loop)
    made.do(venues.__aenter__())
    try:
        yield made
    finally:
        made.do(venues.__aexit__(None, None, None))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_WITHIN)
        loop.close()


_CONFIG = {
    "apiKey": API_KEY,
    "secret": SECRET,
    "enableRateLimit": False,
    "options": {
        "fetchCurrencies": False,
        "fetchMargins": False,
        "fetchMarkets": {"types": ["spot"]},
        "defaultType": "spot",
        "warnOnFetchOpenOrdersWithoutSymbol": False,
    },
}


def sync_client(url: str, kind: Any = None, **config: Any) -> Any:
    """A synchronous Binance client whose addresses lead elsewhere."""
    return _led(kind or ccxt.binance, url, config)


def async_client(url: str, kind: Any = None, **config: Any) -> Any:
    """An asynchronous one."""
    exchange = _led(kind or ccxt.async_support.binance, url, config)
    exchange.timeout_on_exit = 0
    return exchange


def _led(kind: Any, url: str, config: dict[str, Any]) -> Any:
    options = {**_CONFIG["options"], **config.pop("options", {})}  # type: ignore[dict-item]
    exchange = kind({**_CONFIG, **config, "options": options})
    exchange.has["fetchCurrencies"] = False
    exchange.urls["api"] = _addresses("spot", url, {**exchange.urls["api"], "ws": {}})
    exact = exchange.exceptions["spot"]["exact"]  # which ccxt finds by the real address
    exchange.exceptions["exact"] = {**exchange.exceptions["exact"], **exact}
    return exchange


class Answer(NamedTuple):
    """What the server that is told says."""

    status: int = 200
    body: str = "{}"
    headers: Mapping[str, str] = MappingProxyType({})


class Told:
    """A server that gives the answers it is told, the last of them again and again."""

    def __init__(self, url: str, answers: list[Answer]) -> None:
        self.url = url
        self._answers = answers
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []

    def next(self) -> Answer:
        """The next answer."""
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


@contextmanager
def telling(*answers: Answer) -> Iterator[Told]:
    """Start a server that gives these answers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one piece

        def do_GET(self) -> None:
            told.requests.append(self.path)
            told.headers.append(dict(self.headers))
            answer = told.next()
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            body = answer.body.encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET  # noqa: N815 - the server's words

        def log_message(self, *_: Any) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    told = Told(f"http://127.0.0.1:{server.server_address[1]}", list(answers) or [Answer()])
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
