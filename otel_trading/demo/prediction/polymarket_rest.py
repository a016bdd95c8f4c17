"""Polymarket's REST APIs: gamma tells the markets, clob takes orders, data knows what everybody did."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from aiohttp import web

from otel_trading.demo.prediction import polymarket_account as account
from otel_trading.demo.prediction import polymarket_wire as wire
from otel_trading.demo.prediction.book import Leg
from otel_trading.demo.prediction.orders import Order, RefusedError
from otel_trading.demo.prediction.server import body_of, plain, public
from otel_trading.demo.prediction.signing import Credentials, login_signer, order_signer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from otel_trading.demo.prediction.polymarket import Polymarket
    from otel_trading.demo.prediction.question import Question

Json = dict[str, Any]

_LAST_PAGE = "LTE="
_ALLOWANCE = "115792089237316195423570985008687907853269984665640564039457584007913129639935"


class Rest:
    """The paths of one venue."""

    def __init__(self, venue: Polymarket) -> None:
        self._venue = venue

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register them."""
        get, post, delete = router.add_get, router.add_post, router.add_delete
        get("/gamma/events", public(self._events))
        get("/gamma/events/{id}", public(self._event))
        get("/gamma/events/slug/{id}", public(self._event))
        get("/gamma/markets", public(self._markets))
        get("/gamma/public-search", public(self._search))
        get("/clob/time", public(lambda _: int(self._venue.now())))
        get("/clob/book", public(self._book))
        get("/clob/midpoint", public(self._midpoint))
        get("/clob/last-trade-price", public(self._last))
        get("/data/trades", public(self._all_trades))
        get("/data/positions", public(self._positions))
        get("/clob/auth/derive-api-key", self._login(new=False))
        post("/clob/auth/api-key", self._login(new=True))
        get("/clob/balance-allowance", self._private(self._balance))
        get("/clob/data/orders", self._private(self._orders))
        get("/clob/data/order/{id}", self._private(self._order))
        get("/clob/data/trades", self._private(self._trades))
        post("/clob/order", self._private(self._place))
        post("/clob/orders", self._private(self._place_all))
        delete("/clob/order", self._private(lambda _, body: self._cancel([body["orderID"]])))
        delete("/clob/orders", self._private(lambda _, body: self._cancel(body)))
        delete("/clob/cancel-all", self._private(lambda _, __: self._cancel(self._open_ids())))
        delete(
            "/clob/cancel-market-orders", self._private(lambda _, body: self._cancel(self._open_ids(body["asset_id"])))
        )

    def _login(self, *, new: bool) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            venue = self._venue
            if login_signer(request.headers) != venue.address:
                raise RefusedError("Invalid L1 Request headers", 401)
            if venue.credentials is None:
                if not new:
                    raise RefusedError("Could not derive api key!", 400)
                venue.credentials = Credentials.new()
            known = venue.credentials
            return web.json_response({"apiKey": known.key, "secret": known.secret, "passphrase": known.passphrase})

        return handle

    def _private(
        self, answer: Callable[[web.Request, Any], Any]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            text = await request.text()
            credentials, path = self._venue.credentials, request.path.removeprefix("/clob")
            if credentials is None or not credentials.signed(request.headers, request.method, path, text):
                raise RefusedError("Unauthorized/Invalid api key", 401)
            told = answer(request, body_of(text))
            return web.json_response(await told if hasattr(told, "__await__") else told)

        return handle

    def _events(self, request: web.Request) -> list[Json]:
        closed, wanted = request.query.get("closed"), request.query.get("slug") or request.query.get("id")
        events = [wire.event([question]) for question in self._venue.questions]
        if wanted is not None:
            return [each for each in events if wanted in (each["slug"], each["id"])]
        if closed is not None:
            events = [each for each in events if each["closed"] is (closed.lower() == "true")]
        first = int(request.query.get("offset", 0))
        return events[first : first + int(request.query.get("limit", 100))]

    def _event(self, request: web.Request) -> Json:
        wanted = request.match_info["id"]
        for question in self._venue.questions:
            if wanted in (question.slug, question.ticker):
                return wire.event([question])
        raise RefusedError("event not found", 404)

    def _markets(self, request: web.Request) -> list[Json]:
        tokens = set(request.query.getall("clob_token_ids", []))
        found = [question for question in self._venue.questions if not tokens or tokens & set(question.tokens.values())]
        return [wire.market(question) for question in found]

    def _search(self, request: web.Request) -> Json:
        words = request.query.get("q", "").lower().split()
        found = [each for each in self._venue.questions if all(word in each.title.lower() for word in words)]
        return {"events": [wire.event([question]) for question in found], "pagination": {"totalResults": len(found)}}

    def _named(self, request: web.Request) -> tuple[Question, Leg]:
        token = request.query.get("token_id", "")
        question = self._venue.by_token.get(token)
        if question is None:
            raise RefusedError("No orderbook exists for the requested token id", 404)
        return question, question.leg_of(token)

    def _book(self, request: web.Request) -> Json:
        return wire.book(*self._named(request), self._venue.now())

    def _midpoint(self, request: web.Request) -> Json:
        question, leg = self._named(request)
        bid, ask = question.book.best(leg)
        if bid is None or ask is None:
            raise RefusedError("No orderbook exists for the requested token id", 404)
        return {"mid": plain((bid + ask) / 2)}

    def _last(self, request: web.Request) -> Json:
        question, leg = self._named(request)
        return {"price": plain(question.last if leg is Leg.YES else 1 - question.last), "side": "BUY"}

    def _all_trades(self, request: web.Request) -> list[Json]:
        wanted = request.query.get("market")
        return [
            {
                "asset": fill.order.question.tokens[fill.order.leg],
                "conditionId": fill.order.question.condition,
                "side": "BUY" if fill.order.buys is fill.taker else "SELL",
                "price": float(fill.price),
                "size": float(fill.size),
                "timestamp": int(fill.time),
                "transactionHash": trade.transaction,
            }
            for trade in reversed(self._venue.chain.trades)
            if (fill := trade.fill) and wanted in (None, fill.order.question.condition)
        ]

    def _positions(self, _: web.Request) -> list[Json]:
        held_by, told = self._venue.account, []
        for question in self._venue.questions:
            for leg in Leg:
                held = held_by.of(question, leg)
                if held:
                    price = question.last if leg is Leg.YES else 1 - question.last
                    told.append(
                        {
                            "asset": question.tokens[leg],
                            "conditionId": question.condition,
                            "size": float(held),
                            "avgPrice": float(held_by.paid[question.ticker, leg] / held),
                            "curPrice": float(price),
                            "redeemable": question.result is not None,
                            "outcome": question.labels[leg],
                        }
                    )
        return told

    def _balance(self, _: web.Request, __: Json) -> Json:
        return {"balance": str(int(self._venue.account.cash * 1_000_000)), "allowance": _ALLOWANCE}

    def _orders(self, request: web.Request, _: Json) -> Json:
        token, venue = request.query.get("asset_id"), self._venue
        told = [account.open_order(order, venue.owner, venue.wallet) for order in venue.engine.open()]
        return _page([each for each in told if token in (None, each["asset_id"])])

    def _order(self, request: web.Request, _: Json) -> Json:
        order = self._venue.engine.orders.get(request.match_info["id"])
        if order is None:
            raise RefusedError("order not found", 404)
        return account.open_order(order, self._venue.owner, self._venue.wallet)

    def _trades(self, request: web.Request, _: Json) -> Json:
        token, venue = request.query.get("asset_id"), self._venue
        told = [account.trade_report(trade, venue.owner, venue.wallet) for trade in reversed(venue.chain.trades)]
        return _page([each for each in told if token in (None, each["asset_id"])])

    async def _place(self, _: web.Request, body: Json) -> Json:
        await self._venue.acknowledging()
        order = self._new(body)
        return account.placed(order, await self._venue.place(order))

    async def _place_all(self, request: web.Request, bodies: list[Json]) -> list[Json]:
        answers = []
        for body in bodies:
            try:
                answers.append(await self._place(request, body))
            except RefusedError as refused:
                answers.append({"errorMsg": refused.reason, "orderID": "", "status": "", "success": True})
        return answers

    def _new(self, body: Json) -> Order:
        try:
            told = body["order"]
            question = self._venue.by_token[told["tokenId"]]
            size, price = account.size_and_price(told)
            lasting = account.LASTING[body["orderType"]]
        except (KeyError, TypeError, ArithmeticError, InvalidOperation):
            raise RefusedError("Invalid order payload") from None
        if order_signer(told, negative_risk=wire.negative_risk(question)) != self._venue.address:
            raise RefusedError("invalid signature")
        if body.get("owner") != self._venue.owner:
            raise RefusedError("the order owner has to be the owner of the API KEY")
        if question.result is not None:
            raise RefusedError(f"the orderbook {question.tokens[Leg.YES]} does not exist")
        price = price.quantize(Decimal("0.000001"))
        if not question.tick <= price <= 1 - question.tick or (
            lasting is account.LASTING["GTC"] and price % question.tick
        ):
            raise RefusedError(f"order {told['tokenId']} breaks minimum tick size rule: {question.tick}")
        if size < question.least:
            raise RefusedError(f"order {told['tokenId']} is invalid. Size ({plain(size)}) lower than the minimum")
        leg = question.leg_of(told["tokenId"])
        order = Order(question, leg, told["side"] == "BUY", price, size, lasting)
        best_bid, best_ask = question.book.best(leg)
        best = best_ask if order.buys else best_bid
        if body.get("postOnly") and best is not None and (price >= best if order.buys else price <= best):
            raise RefusedError("invalid post-only order: order crosses book")
        return order

    def _open_ids(self, token: str | None = None) -> list[str]:
        return [
            order.id
            for order in self._venue.engine.open()
            if token is None or order.question.tokens[order.leg] == token
        ]

    async def _cancel(self, ids: list[str]) -> Json:
        canceled, not_canceled = [], {}
        for each in ids:
            order = self._venue.engine.orders.get(each)
            if order is not None and await self._venue.cancel(order):
                canceled.append(each)
            else:
                not_canceled[each] = "order can't be found - already canceled or matched"
        return {"canceled": canceled, "not_canceled": not_canceled}


def _page(rows: list[Json]) -> Json:
    return {"data": rows, "next_cursor": _LAST_PAGE, "limit": 500, "count": len(rows)}
