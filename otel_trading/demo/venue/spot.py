"""The spot venue's paths."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.demo.venue import spot_wire as wire
from otel_trading.demo.venue.account import SpotAccount
from otel_trading.demo.venue.decimals import number
from otel_trading.demo.venue.latency import Latency
from otel_trading.demo.venue.orders import ExecutionType, Reject, Report
from otel_trading.demo.venue.queries import OrderQueries
from otel_trading.demo.venue.requests import Parameters, check_symbol
from otel_trading.demo.venue.rules import SYMBOL

if TYPE_CHECKING:
    from aiohttp import web

    from otel_trading.demo.venue.server import Json

_WEIGHT_PER_MINUTE = 6000
_ORDERS_PER_TEN_SECONDS = 100


class SpotVenue(OrderQueries[SpotAccount]):
    """Spot trading of the one pair it lists.

    Args:
        snapshot: the depth answer the book starts from.
        account: the paper account.
        api_key: the one key it accepts.
        secret: the key's secret.
        seed: of latencies.

    """

    wire = wire

    def __init__(self, *, snapshot: str, account: SpotAccount, api_key: str, secret: str, seed: int) -> None:
        super().__init__(
            name="spot",
            snapshot=snapshot,
            account=account,
            api_key=api_key,
            secret=secret,
            seed=seed,
            ack=Latency(0.008),
            limits=(_WEIGHT_PER_MINUTE, _ORDERS_PER_TEN_SECONDS),
        )

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the spot paths."""
        rest = "/api/v3"
        router.add_get(f"{rest}/ping", self.public(1, lambda _: {}))
        router.add_get(f"{rest}/time", self.public(1, lambda _: {"serverTime": self.now_ms()}))
        router.add_get(f"{rest}/exchangeInfo", self.public(20, lambda _: self._exchange_info()))
        router.add_get(f"{rest}/depth", self.public(50, lambda parameters: self.depth(parameters, 100)))
        router.add_get(f"{rest}/ticker/bookTicker", self.public(2, self._book_ticker))
        router.add_get(f"{rest}/ticker/24hr", self.public(2, self._ticker))
        router.add_get(f"{rest}/account", self.signed(20, self._account))
        router.add_post(f"{rest}/order", self.signed(1, self._place))
        router.add_delete(f"{rest}/order", self.signed(1, self._cancel))
        router.add_get(f"{rest}/order", self.signed(4, self._order))
        router.add_get(f"{rest}/openOrders", self.signed(6, self._open_orders))
        router.add_delete(f"{rest}/openOrders", self.signed(1, self._cancel_all))
        router.add_get(f"{rest}/allOrders", self.signed(20, self._all_orders))
        router.add_get(f"{rest}/myTrades", self.signed(20, self._trades))
        router.add_get("/stream/ws/{connection}", self.socket(self.feed.serve))
        router.add_get("/ws-api/v3", self.socket(self.users.serve_requests))

    def envelope(self, event: Json) -> Json:
        """Wrap an event with the subscription it belongs to."""
        return {"subscriptionId": 0, "event": event}

    def report_event(self, report: Report) -> Json:
        """Return the ``executionReport``."""
        return wire.report_event(report, self.now_ms())

    def account_event(self, reports: list[Report]) -> Json | None:
        """Return the ``outboundAccountPosition``; an order that expired without a fill moved nothing."""
        if {report.type for report in reports} == {ExecutionType.NEW, ExecutionType.EXPIRED}:
            return None
        return wire.account_event(self.account, self.now_ms())

    def _exchange_info(self) -> Json:
        rules = self.rules
        filters: list[Json] = [
            {"filterType": "PRICE_FILTER", "minPrice": number(rules.tick), "maxPrice": number(rules.max_price),
             "tickSize": number(rules.tick)},
            {"filterType": "LOT_SIZE", "minQty": number(rules.min_quantity), "maxQty": number(rules.max_quantity),
             "stepSize": number(rules.step)},
            {"filterType": "NOTIONAL", "minNotional": number(rules.min_notional), "applyMinToMarket": True,
             "maxNotional": "9000000.00000000", "applyMaxToMarket": False, "avgPriceMins": 5},
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
        ]  # fmt: skip
        return wire.exchange_info(self.now_ms(), filters)

    def _book_ticker(self, parameters: Parameters) -> Json:
        check_symbol(parameters)
        bid = next(self.book.levels("bids"), None)
        ask = next(self.book.levels("asks"), None)
        return {
            "symbol": SYMBOL,
            "bidPrice": number(bid.price) if bid else "0.00000000",
            "bidQty": number(bid.quantity) if bid else "0.00000000",
            "askPrice": number(ask.price) if ask else "0.00000000",
            "askQty": number(ask.quantity) if ask else "0.00000000",
        }

    def _ticker(self, parameters: Parameters) -> Json:
        quote = self._book_ticker(parameters)
        now = self.now_ms()
        last = quote["bidPrice"]
        return {**quote, "lastPrice": last, "openPrice": last, "highPrice": last, "lowPrice": last,
                "weightedAvgPrice": last, "priceChange": "0.00000000", "priceChangePercent": "0.000",
                "volume": "0.00000000", "quoteVolume": "0.00000000", "openTime": now - 86400000, "closeTime": now,
                "count": 0}  # fmt: skip

    async def _account(self, _: Parameters) -> Json:
        maker, taker = number(self.rules.maker_fee), number(self.rules.taker_fee)
        return {
            "makerCommission": 1,
            "takerCommission": 2,
            "buyerCommission": 0,
            "sellerCommission": 0,
            "commissionRates": {"maker": maker, "taker": taker, "buyer": "0.00000000", "seller": "0.00000000"},
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "updateTime": self.now_ms(),
            "accountType": "SPOT",
            "balances": wire.balances_json(self.account),
            "permissions": ["SPOT"],
            "uid": 1,
        }

    async def _place(self, parameters: Parameters) -> Json:
        parameters.setdefault("newOrderRespType", "FULL")
        return await self.place(parameters, wire.new_order_json)

    async def _cancel(self, parameters: Parameters) -> Json:
        report = await self.cancel(parameters)
        return wire.cancel_json(report.order, parameters.get("newClientOrderId", f"cancel{report.order.id}"))

    async def _cancel_all(self, _: Parameters) -> list[Json]:
        orders = self.engine.open_orders()
        if not orders:
            raise Reject(-2011, "Unknown order sent.")
        return [await self._cancel({"orderId": str(order.id)}) for order in orders]
