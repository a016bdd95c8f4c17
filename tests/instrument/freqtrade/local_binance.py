"""A venue on loopback that freqtrade takes for Binance: the simulated spot venue, with candles and one more market."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, Self

from aiohttp import ClientSession, web

from otel_trading.demo.venue import GeneratedMarket, Venues

if TYPE_CHECKING:
    from types import TracebackType

WAIT = 60.0
_FIVE_MINUTES = 300_000


class LocalBinance:
    """Answers in a thread of its own."""

    def __init__(self) -> None:
        self.url = ""
        self.ready = threading.Event()
        self.requests: list[str] = []
        self._stop: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self.ready.wait(WAIT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(WAIT)

    def config(self, **more: Any) -> dict[str, Any]:
        """A configuration of freqtrade that leads here."""
        base = f"{self.url}/api/v3"
        addresses = dict.fromkeys(("public", "private", "sapi", "sapiV2", "sapiV3", "sapiV4"), base)
        ccxt = {
            "urls": {"api": addresses},
            "enableRateLimit": False,
            "options": {"fetchCurrencies": False, "fetchMargins": False, "fetchMarkets": {"types": ["spot"]}},
        }
        exchange = {
            "name": "binance",
            "key": "paper-key",
            "secret": "paper-secret",
            "ccxt_config": ccxt,
            "ccxt_async_config": {},
            "enable_ws": False,
            "pair_whitelist": ["BTC/USDT"],
        }
        return {
            "initial_state": "running",
            "max_open_trades": 1,
            "stake_currency": "USDT",
            "stake_amount": 1000,
            "dry_run": True,
            "dry_run_wallet": 10_000,
            "timeframe": "5m",
            "trading_mode": "spot",
            "fee": 0.001,
            "entry_pricing": {"price_side": "other", "use_order_book": False},
            "exit_pricing": {"price_side": "other", "use_order_book": False},
            "pairlists": [{"method": "StaticPairList"}],
            "internals": {"process_throttle_secs": 0},
            **more,
            "exchange": {**exchange, **more.get("exchange", {})},
        }

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with Venues(GeneratedMarket()) as venues, ClientSession() as session:

            async def pass_on(request: web.Request) -> web.Response:
                self.requests.append(f"{request.method} {request.path}")
                url = f"{venues.spot_url}{request.rel_url}"
                names = ("X-MBX-APIKEY", "Content-Type")
                headers = {name: request.headers[name] for name in names if name in request.headers}
                body = await request.read()
                async with session.request(request.method, url, data=body or None, headers=headers) as answer:
                    return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")

            async def markets(_: web.Request) -> web.Response:
                async with session.get(f"{venues.spot_url}/api/v3/exchangeInfo") as answer:
                    info = await answer.json()
                first = info["symbols"][0]
                rules = [
                    {**rule, "minNotional": "0.00000001"} if rule["filterType"] == "NOTIONAL" else rule
                    for rule in first["filters"]
                ]
                tiny = {
                    "filterType": "PRICE_FILTER",
                    "minPrice": "0.00000001",
                    "maxPrice": "1",
                    "tickSize": "0.00000001",
                }
                rules = [tiny if rule["filterType"] == "PRICE_FILTER" else rule for rule in rules]
                other = {
                    **first,
                    "symbol": "UNITTESTBTC",
                    "baseAsset": "UNITTEST",
                    "quoteAsset": "BTC",
                    "filters": rules,
                }
                return web.json_response({**info, "symbols": [first, other]})

            app = web.Application()
            app.router.add_get("/api/v3/exchangeInfo", markets)
            app.router.add_get("/api/v3/klines", _candles)
            app.router.add_route("*", "/{rest:.*}", pass_on)
            runner = web.AppRunner(app)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self.ready.set()
            await self._stop.wait()
            await runner.cleanup()


async def _candles(request: web.Request) -> web.Response:
    """Candles up to now, of a price that hardly moves."""
    last = int(time.time() * 1000) // _FIVE_MINUTES * _FIVE_MINUTES
    count = min(int(request.query.get("limit", "500")), 500)
    first = last - (count - 1) * _FIVE_MINUTES
    since = int(request.query.get("startTime", first))
    rows = [
        [at, "27000", "27050", "26950", "27010", "10", at + _FIVE_MINUTES - 1, "270000", 100, "5", "135000", "0"]
        for at in range(first, last + 1, _FIVE_MINUTES)
        if at >= since
    ]
    return web.json_response(rows)
