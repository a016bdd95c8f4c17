"""The perpetual venue's paths."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from otel_trading.demo.venue import perp_wire as wire
from otel_trading.demo.venue.account import PerpAccount
from otel_trading.demo.venue.decimals import number, plain
from otel_trading.demo.venue.latency import Latency
from otel_trading.demo.venue.orders import ExecutionType, Reject, Report
from otel_trading.demo.venue.queries import OrderQueries
from otel_trading.demo.venue.requests import Parameters, check_symbol, integer
from otel_trading.demo.venue.rules import SYMBOL

if TYPE_CHECKING:
    from aiohttp import web

    from otel_trading.demo.venue.server import Json

_WEIGHT_PER_MINUTE = 2400
_ORDERS_PER_TEN_SECONDS = 300
_HIGHEST_LEVERAGE = 125


class PerpVenue(OrderQueries[PerpAccount]):
    """USDT-margined perpetual trading of the one contract it lists.

    Args:
        snapshot: the depth answer the book starts from.
        account: the paper account.
        api_key: the one key it accepts.
        secret: the key's secret.
        seed: of latencies.

    """

    wire = wire

    def __init__(self, *, snapshot: str, account: PerpAccount, api_key: str, secret: str, seed: int) -> None:
        super().__init__(
            name="perp",
            snapshot=snapshot,
            account=account,
            api_key=api_key,
            secret=secret,
            seed=seed,
            ack=Latency(0.005),
            limits=(_WEIGHT_PER_MINUTE, _ORDERS_PER_TEN_SECONDS),
        )
        self._mark(self.book.best("bids"), self.book.best("asks"))

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the perpetual paths."""
        rest = "/fapi/v1"
        router.add_get(f"{rest}/ping", self.public(1, lambda _: {}))
        router.add_get(f"{rest}/time", self.public(1, lambda _: {"serverTime": self.now_ms()}))
        router.add_get(f"{rest}/exchangeInfo", self.public(1, lambda _: self._exchange_info()))
        router.add_get(f"{rest}/depth", self.public(20, self._depth))
        router.add_get(f"{rest}/ticker/bookTicker", self.public(2, self._book_ticker))
        router.add_get(f"{rest}/ticker/24hr", self.public(1, self._ticker))
        router.add_get(f"{rest}/premiumIndex", self.public(1, self._premium_index))
        router.add_post(f"{rest}/order", self.signed(0, self._place))
        router.add_delete(f"{rest}/order", self.signed(1, self._cancel))
        router.add_get(f"{rest}/order", self.signed(1, self._order))
        router.add_get(f"{rest}/openOrders", self.signed(1, self._open_orders))
        router.add_delete(f"{rest}/allOpenOrders", self.signed(1, self._cancel_all))
        router.add_get(f"{rest}/allOrders", self.signed(5, self._all_orders))
        router.add_get(f"{rest}/userTrades", self.signed(5, self._trades))
        router.add_post(f"{rest}/leverage", self.signed(1, self._leverage))
        router.add_get(f"{rest}/leverageBracket", self.signed(1, self._brackets))
        router.add_get(f"{rest}/accountConfig", self.signed(5, self._account_config))
        for version in ("v2", "v3"):
            router.add_get(f"/fapi/{version}/account", self.signed(5, self._account))
            router.add_get(f"/fapi/{version}/balance", self.signed(5, self._balance))
            router.add_get(f"/fapi/{version}/positionRisk", self.signed(5, self._positions))
        for method in ("POST", "PUT"):
            router.add_route(method, f"{rest}/listenKey", self.keyed(1, self._listen_key))
        router.add_delete(f"{rest}/listenKey", self.keyed(1, lambda _: {}))
        router.add_get("/public/ws/{connection}", self.socket(self.feed.serve))
        router.add_get("/market/ws/{connection}", self.socket(self.feed.serve))
        router.add_get("/private/ws", self.socket(self.users.serve_listen_key))

    def envelope(self, event: Json) -> Json:
        """Return the event as it is: a listen key's connection carries nothing else."""
        return event

    def report_event(self, report: Report) -> Json:
        """Return the ``ORDER_TRADE_UPDATE``."""
        return wire.report_event(report, self.now_ms())

    def account_event(self, reports: list[Report]) -> Json | None:
        """Return the ``ACCOUNT_UPDATE``; only fills move the wallet and the position."""
        if all(report.type is not ExecutionType.TRADE for report in reports):
            return None
        return wire.account_event(self.account, self.now_ms())

    def on_market(self, content: Json, stream: str) -> None:
        """Mark the position to the middle of the quote."""
        if stream == "bookTicker":
            self._mark(Decimal(content["b"]), Decimal(content["a"]))

    def _mark(self, bid: Decimal | None, ask: Decimal | None) -> None:
        if bid is not None and ask is not None:
            self.account.mark_price = (bid + ask) / 2

    def _exchange_info(self) -> Json:
        rules = self.rules
        lot = {"minQty": plain(rules.min_quantity), "maxQty": plain(rules.max_quantity), "stepSize": plain(rules.step)}
        filters: list[Json] = [
            {"filterType": "PRICE_FILTER", "minPrice": "261.10", "maxPrice": plain(rules.max_price),
             "tickSize": str(rules.tick)},
            {"filterType": "LOT_SIZE", **lot},
            {"filterType": "MARKET_LOT_SIZE", **lot, "maxQty": "120"},
            {"filterType": "MAX_NUM_ORDERS", "limit": 200},
            {"filterType": "MIN_NOTIONAL", "notional": plain(rules.min_notional)},
        ]  # fmt: skip
        return wire.exchange_info(self.now_ms(), filters)

    def _depth(self, parameters: Parameters) -> Json:
        answer = self.depth(parameters, 500)
        now = self.now_ms()
        return {"lastUpdateId": answer["lastUpdateId"], "E": now, "T": now, **answer}

    def _book_ticker(self, parameters: Parameters) -> Json:
        check_symbol(parameters)
        bid = next(self.book.levels("bids"), None)
        ask = next(self.book.levels("asks"), None)
        return {
            "symbol": SYMBOL,
            "bidPrice": plain(bid.price) if bid else "0",
            "bidQty": plain(bid.quantity) if bid else "0",
            "askPrice": plain(ask.price) if ask else "0",
            "askQty": plain(ask.quantity) if ask else "0",
            "time": self.now_ms(),
            "lastUpdateId": self.book.last_update_id,
        }

    def _ticker(self, parameters: Parameters) -> Json:
        last = self._book_ticker(parameters)["bidPrice"]
        now = self.now_ms()
        return {"symbol": SYMBOL, "lastPrice": last, "openPrice": last, "highPrice": last, "lowPrice": last,
                "weightedAvgPrice": last, "priceChange": "0.00", "priceChangePercent": "0.000", "volume": "0.000",
                "quoteVolume": "0.00", "openTime": now - 86400000, "closeTime": now, "count": 0}  # fmt: skip

    def _premium_index(self, parameters: Parameters) -> Json:
        check_symbol(parameters)
        now = self.now_ms()
        mark = number(self.account.mark_price)
        return {"symbol": SYMBOL, "markPrice": mark, "indexPrice": mark, "estimatedSettlePrice": mark,
                "lastFundingRate": "0.00010000", "interestRate": "0.00010000",
                "nextFundingTime": (now // 28800000 + 1) * 28800000, "time": now}  # fmt: skip

    def _listen_key(self, _: Parameters) -> Json:
        return {"listenKey": self.users.listen_key()}

    async def _account(self, _: Parameters) -> Json:
        return wire.account_json(self.account, self.now_ms())

    async def _balance(self, _: Parameters) -> list[Json]:
        row: Json = wire.account_json(self.account, self.now_ms())["assets"][0]
        return [{**row, "balance": row["walletBalance"]}]

    async def _positions(self, _: Parameters) -> list[Json]:
        return wire.positions_json(self.account, self.now_ms())

    async def _account_config(self, _: Parameters) -> Json:
        return {"feeTier": 9, "canTrade": True, "dualSidePosition": False, "multiAssetsMargin": False}

    async def _leverage(self, parameters: Parameters) -> Json:
        leverage = integer(parameters, "leverage", 0)
        if not 1 <= leverage <= _HIGHEST_LEVERAGE:
            raise Reject(-4028, f"Leverage {leverage} is not valid")
        self.account.leverage = leverage
        return {"symbol": SYMBOL, "leverage": leverage, "maxNotionalValue": "1000000"}

    async def _brackets(self, _: Parameters) -> list[Json]:
        bracket = {"bracket": 1, "initialLeverage": 125, "notionalCap": 300000000, "notionalFloor": 0,
                   "maintMarginRatio": 0.004, "cum": 0.0}  # fmt: skip
        return [{"symbol": SYMBOL, "brackets": [bracket]}]

    async def _place(self, parameters: Parameters) -> Json:
        return await self.place(parameters, lambda order, _: wire.order_json(order))

    async def _cancel(self, parameters: Parameters) -> Json:
        return wire.order_json((await self.cancel(parameters)).order)

    async def _cancel_all(self, _: Parameters) -> Json:
        for order in self.engine.open_orders():
            await self.cancel({"orderId": str(order.id)})
        return {"code": 200, "msg": "The operation of cancel all open order is done."}
