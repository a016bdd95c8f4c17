"""A simulated Kalshi: markets, orders, executions and settlements over REST, requests signed with an RSA key."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from aiohttp import web

from otel_trading.demo.prediction import kalshi_wire as wire
from otel_trading.demo.prediction.book import Leg
from otel_trading.demo.prediction.orders import Account, Engine, Order, RefusedError, State
from otel_trading.demo.prediction.server import Venue, body_of, public
from otel_trading.demo.prediction.signing import RsaKey

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from otel_trading.demo.prediction.orders import Fill
    from otel_trading.demo.prediction.question import Question

Json = dict[str, Any]

PREFIX = "/trade-api/v2"
_KEY_ID = "7a1b6c0e-paper"
_TIME_OFF_MS = 30_000
_CENT = Decimal("0.01")
_STATUS = {"open": "active", "settled": "settled"}


def taker_fee(size: Decimal, price: Decimal) -> Decimal:
    """What Kalshi takes from who trades with a resting order.

    >>> taker_fee(Decimal(10), Decimal("0.42"))
    Decimal('0.18')
    """
    return (Decimal("0.07") * size * price * (1 - price)).quantize(_CENT, ROUND_UP)


class Kalshi(Venue):
    """Kalshi on loopback.

    ::

        async with Kalshi(GeneratedMarkets(1).questions()) as venue:
            client = make_kalshi(venue)
            await client.load_markets()

    Args:
        questions: its markets.
        cash: dollars of the paper account.
        seed: of ids.
        port: to listen on; 0 lets the system choose.

    """

    lack_of_funds = "insufficient_balance"

    def __init__(
        self, questions: Iterable[Question], *, cash: Decimal = Decimal(1000), seed: int = 1, port: int = 0
    ) -> None:
        super().__init__(port)
        self.questions = {question.ticker: question for question in questions}
        self.account = Account(cash)
        self.engine = Engine(self.account, self.now, taker_fee, seed)
        self.key = RsaKey()
        self.key_id = _KEY_ID
        self.settlements: list[wire.Settlement] = []
        self.fills: list[Fill] = []

    def fill(self, order_id: str, size: Decimal | None = None) -> None:
        """Somebody trades with a resting order: with all of it, or so much."""
        self.fills += self.engine.hit(self.engine.orders[order_id], size)

    def quote(self, ticker: str, bid: Decimal, ask: Decimal, size: Decimal = Decimal(100)) -> None:
        """The market moves: this is bid and offered for YES now."""
        question = self.questions[ticker]
        question.book.replace([(bid, size)], [(ask, size)])
        self.fills += self.engine.crossed([question])

    def settle(self, ticker: str, result: Leg | str) -> None:
        """The question is answered: orders for it are canceled, and the account is paid."""
        question, result = self.questions[ticker], Leg(result)
        question.result = result
        for order in self.engine.open():
            if order.question is question:
                self.engine.cancel(order)
        held = {leg: self.account.held.pop((ticker, leg), Decimal(0)) for leg in Leg}
        paid = {leg: self.account.paid.pop((ticker, leg), Decimal(0)) for leg in Leg}
        self.account.cash += held[result]
        if any(held.values()):
            self.settlements.append(wire.Settlement(question, result, held, paid, held[result], self.now()))

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """See ``Venue``."""
        get, post, delete = router.add_get, router.add_post, router.add_delete
        get(f"{PREFIX}/exchange/status", public(lambda _: {"exchange_active": True, "trading_active": True}))
        get(f"{PREFIX}/markets", public(self._markets))
        get(f"{PREFIX}/markets/trades", public(self._trades))
        get(f"{PREFIX}/markets/{{ticker}}", public(lambda r: {"market": wire.market(self._named(r), self.now())}))
        get(f"{PREFIX}/markets/{{ticker}}/orderbook", public(lambda r: wire.orderbook(self._named(r))))
        get(f"{PREFIX}/events", public(self._events))
        get(f"{PREFIX}/events/{{ticker}}", public(self._event))
        get(f"{PREFIX}/portfolio/balance", self._signed(self._balance))
        get(f"{PREFIX}/portfolio/positions", self._signed(self._positions))
        get(f"{PREFIX}/portfolio/orders", self._signed(self._orders))
        get(f"{PREFIX}/portfolio/orders/{{order}}", self._signed(lambda r: {"order": wire.order(self._order(r))}))
        get(f"{PREFIX}/portfolio/fills", self._signed(self._fills))
        get(f"{PREFIX}/portfolio/settlements", self._signed(self._settlements))
        post(f"{PREFIX}/portfolio/events/orders", self._trading(self._place, 201))
        delete(f"{PREFIX}/portfolio/events/orders/{{order}}", self._trading(self._cancel))

    def refusal(self, refused: RefusedError) -> Json:
        """See ``Venue``."""
        return {"error": {"code": refused.reason, "message": refused.reason.replace("_", " "), "service": "paper"}}

    def _signed(
        self, answer: Callable[[web.Request], object]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._check(request)
            return web.json_response(answer(request))

        return handle

    def _trading(
        self, answer: Callable[[web.Request, Json], Json], status: int = 200
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self._check(request)
            await self.acknowledging()
            return web.json_response(answer(request, body_of(await request.text())), status=status)

        return handle

    def _check(self, request: web.Request) -> None:
        headers = request.headers
        stamp = headers.get("KALSHI-ACCESS-TIMESTAMP", "")
        signature = headers.get("KALSHI-ACCESS-SIGNATURE", "")
        if headers.get("KALSHI-ACCESS-KEY") != self.key_id or not stamp.isdigit():
            raise RefusedError("authentication_error", 401)
        if abs(int(stamp) - self.now() * 1000) > _TIME_OFF_MS:
            raise RefusedError("timestamp_out_of_range", 401)
        if not self.key.verifies(f"{stamp}{request.method}{request.path}", signature):
            raise RefusedError("incorrect_signature", 401)

    def _named(self, request: web.Request) -> Question:
        question = self.questions.get(request.match_info["ticker"])
        if question is None:
            raise RefusedError("not_found", 404)
        return question

    def _markets(self, request: web.Request) -> Json:
        tickers = request.query.get("tickers")
        status = _STATUS.get(request.query.get("status", ""))
        found = [
            wire.market(question, self.now())
            for question in self.questions.values()
            if tickers is None or question.ticker in tickers.split(",")
        ]
        if status is not None:
            found = [each for each in found if each["status"] == status]
        return {"markets": found[: int(request.query.get("limit", 100))], "cursor": ""}

    def _trades(self, request: web.Request) -> Json:
        wanted = request.query.get("ticker")
        trades = [wire.trade(fill) for fill in reversed(self.fills)]
        return {"trades": [each for each in trades if wanted in (None, each["ticker"])], "cursor": ""}

    def _events(self, request: web.Request) -> Json:
        series = request.query.get("series_ticker")
        events = [self._of_event(name) for name in dict.fromkeys(each.event for each in self.questions.values())]
        return {"events": [each for each in events if series in (None, each["series_ticker"])], "cursor": ""}

    def _event(self, request: web.Request) -> Json:
        return {"event": self._of_event(request.match_info["ticker"])}

    def _of_event(self, name: str) -> Json:
        markets = [question for question in self.questions.values() if question.event == name]
        if not markets:
            raise RefusedError("not_found", 404)
        return wire.event(markets, self.now())

    def _balance(self, _: web.Request) -> Json:
        return {"balance": int(self.account.cash * 100), "portfolio_value": 0, "updated_ts": int(self.now())}

    def _positions(self, _: web.Request) -> Json:
        told = [wire.position(question, self.account) for question in self.questions.values()]
        return {"market_positions": [each for each in told if each["position"]], "event_positions": [], "cursor": ""}

    def _orders(self, request: web.Request) -> Json:
        status, ticker = request.query.get("status"), request.query.get("ticker")
        told = [wire.order(order) for order in self.engine.orders.values()]
        matching = [each for each in told if status in (None, each["status"]) and ticker in (None, each["ticker"])]
        return {"orders": matching, "cursor": ""}

    def _order(self, request: web.Request) -> Order:
        order = self.engine.orders.get(request.match_info["order"])
        if order is None:
            raise RefusedError("not_found", 404)
        return order

    def _fills(self, request: web.Request) -> Json:
        ticker = request.query.get("ticker")
        told = [wire.fill(fill) for fill in reversed(self.fills)]
        return {"fills": [each for each in told if ticker in (None, each["ticker"])], "cursor": ""}

    def _settlements(self, _: web.Request) -> Json:
        return {"settlements": [wire.settlement(each) for each in reversed(self.settlements)], "cursor": ""}

    def _place(self, _: web.Request, body: Json) -> Json:
        order = self._new(body)
        if not self.engine.affords(order):
            raise RefusedError(self.lack_of_funds)
        name = self.engine.id(16)
        self.fills += self.engine.place(order, "-".join((name[:8], name[8:12], name[12:16], name[16:20], name[20:])))
        return wire.placed(order)

    def _new(self, body: Json) -> Order:
        try:
            question = self.questions[body["ticker"]]
            size, yes = Decimal(body["count"]), Decimal(body["price"])
            bid = {"bid": True, "ask": False}[body["side"]]
            lasting = wire.LASTING[body["time_in_force"]]
        except (KeyError, TypeError, InvalidOperation):
            raise RefusedError("invalid_order") from None
        if question.result is not None:
            raise RefusedError("market_closed")
        if size < 1 or not 0 < yes < 1 or yes % question.tick:
            raise RefusedError("invalid_order")
        leg, buys = self._direction(question, size, bid=bid)
        price = yes if leg is Leg.YES else 1 - yes
        return Order(question, leg, buys, price, size, lasting, str(body.get("client_order_id", "")))

    def _direction(self, question: Question, size: Decimal, *, bid: bool) -> tuple[Leg, bool]:
        """An offer of YES sells what is held of it, or else buys NO; a bid the other way round."""
        gained = Leg.YES if bid else Leg.NO
        if self.account.of(question, gained.other) >= size:
            return gained.other, False
        return gained, True

    def _cancel(self, request: web.Request, _: Json) -> Json:
        order = self._order(request)
        left = order.remaining
        if order.state is not State.OPEN or not self.engine.cancel(order):
            raise RefusedError("not_found", 404)
        return {"order_id": order.id, "client_order_id": order.client_id, "reduced_by": wire.contracts(left)}
