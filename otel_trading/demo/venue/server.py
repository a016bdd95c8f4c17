"""One simulated venue: market data, orders and account behind its HTTP and WebSocket addresses."""

from __future__ import annotations

import asyncio
import json
import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Generic
from urllib.parse import parse_qsl

from aiohttp import web

from otel_trading.demo.venue.book import Book
from otel_trading.demo.venue.engine import AccountT, MatchingEngine
from otel_trading.demo.venue.faults import Fault, Faults
from otel_trading.demo.venue.feed import Feed
from otel_trading.demo.venue.latency import Latency
from otel_trading.demo.venue.limits import RateLimits
from otel_trading.demo.venue.orders import ExecutionType, NewOrder, OrderType, Reject, Report, Side, Status, TimeInForce
from otel_trading.demo.venue.rules import RULES, SYMBOL
from otel_trading.demo.venue.signing import Credentials, split_signature
from otel_trading.demo.venue.userfeed import UserFeed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from otel_trading.demo.venue.market import Frame, VenueName

Json = dict[str, Any]
Parameters = dict[str, str]

_REPORT_DELAY = Latency(0.002)
_SHARE_BEFORE_MATCHING = 0.6
_JSON_HEADERS = {"Content-Type": "application/json;charset=UTF-8"}


class Venue(ABC, Generic[AccountT]):
    """What both venues have in common; a subclass adds the paths and the wording of one of them.

    Args:
        name: which venue.
        snapshot: the depth answer the book starts from.
        account: the paper account.
        api_key: the one key it accepts.
        secret: the key's secret.
        seed: of latencies and of what a ``reject`` fault hits.
        ack: the time from an order to its acknowledgement.
        weights: request weight per minute and orders per ten seconds it allows.

    """

    def __init__(
        self,
        *,
        name: VenueName,
        snapshot: str,
        account: AccountT,
        api_key: str,
        secret: str,
        seed: int,
        ack: Latency,
        limits: tuple[int, int],
    ) -> None:
        self.name = name
        self.account = account
        self.rules = RULES[name]
        self.faults = Faults(time.monotonic)
        self.book = Book(snapshot)
        self.engine = MatchingEngine(
            rules=self.rules,
            book=self.book,
            account=account,
            clock_ms=self.now_ms,
            first_id=1 + random.Random(seed).randrange(10**9, 10**10),  # noqa: S311 - paper ids
        )
        self.credentials = Credentials(api_key, secret, self.now_ms)
        self.feed = Feed(SYMBOL.lower(), self.faults)
        self.users = UserFeed(self.credentials, self.envelope)
        self.limits = RateLimits(*limits, time.monotonic)
        self.counts: Counter[str] = Counter()
        self.snapshot_taken = asyncio.Event()
        self._ack = ack
        self._rng = random.Random(seed)  # noqa: S311 - paper latencies
        self._transports: set[asyncio.Transport] = set()

    def now_ms(self) -> int:
        """Return the venue's wall clock in milliseconds, ``clock_skew`` included."""
        skew = self.faults.get("clock_skew")
        return time.time_ns() // 1_000_000 + (round(skew.value * 1000) if skew is not None else 0)

    def app(self) -> web.Application:
        """Return the venue's web application."""
        app = web.Application(middlewares=[self._guard])
        self.add_routes(app.router)
        return app

    async def market_data(self, frame: Frame) -> None:
        """Take one frame of the market: into the book, past our resting orders, and out to the subscribers."""
        stream = frame.stream
        content = json.loads(frame.payload)
        reports: list[Report] = []
        if stream == "bookTicker":
            self.book.set_quote(content)
            if self.engine.has_resting:
                reports = self.engine.on_quote()
        elif stream == "depth":
            self.book.apply(content)
        elif self.engine.has_resting:
            reports = self.engine.on_trade(Decimal(content["p"]), Decimal(content["q"]), buyer_is_maker=content["m"])
        self.on_market(content, stream)
        if reports:
            self._publish(reports, 0.0)
        await self.feed.publish(stream, frame.payload)

    def switch_on(self, fault: Fault) -> None:
        """Start a fault; ``disconnect`` cuts every socket at once."""
        self.faults.switch_on(fault)
        if fault.kind == "disconnect":
            for transport in tuple(self._transports):
                transport.abort()

    def stats(self) -> Json:
        """Return what the venue sent, to whom, and what became of the orders."""
        return {
            "sent": dict(self.feed.sent),
            "dropped": dict(self.feed.dropped),
            "silenced": dict(self.feed.silenced),
            "subscribers": {**self.feed.subscribers(), "user": self.users.subscribers},
            "orders": dict(self.counts),
            "open_orders": len(self.engine.open_orders()),
            "faults": [str(fault) for fault in self.faults.active()],
        }

    async def close(self) -> None:
        """Stop what runs in the background and cut the sockets."""
        await self.users.close()
        for transport in tuple(self._transports):
            transport.abort()

    @abstractmethod
    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Register the venue's paths."""

    @abstractmethod
    def envelope(self, event: Json) -> Json:
        """Wrap a user data event as it travels on this venue's connection."""

    @abstractmethod
    def report_event(self, report: Report) -> Json:
        """Return the event of an execution report."""

    @abstractmethod
    def account_event(self) -> Json:
        """Return the event of a changed account."""

    def on_market(self, content: Json, stream: str) -> None:
        """Let a subclass see each frame."""

    async def place(self, parameters: Parameters, answer: Callable[[Any, str], Json]) -> Json:
        """Accept an order: wait as the venue does, match it, publish its reports, answer.

        Args:
            parameters: the request's.
            answer: forms the answer from the order and the response type asked for.

        """
        self.limits.use_order()
        self.counts["placed"] += 1
        latency = self._ack.draw(self._rng)
        slow = self.faults.get("slow_ack")
        if slow is not None:
            latency += slow.value
        await asyncio.sleep(latency * _SHARE_BEFORE_MATCHING)
        after_matching = latency * (1 - _SHARE_BEFORE_MATCHING)
        try:
            self._reject_by_fault()
            order, reports = self.engine.place(_new_order(parameters))
        except Reject:
            self.counts["rejected"] += 1
            await asyncio.sleep(after_matching)
            raise
        self._publish(reports, after_matching)
        await asyncio.sleep(after_matching)
        return answer(reports[-1].order, parameters.get("newOrderRespType", "ACK"))

    async def cancel(self, parameters: Parameters) -> Report:
        """Cancel an order and return its report."""
        latency = self._ack.draw(self._rng)
        await asyncio.sleep(latency * _SHARE_BEFORE_MATCHING)
        order_id, client_id = order_reference(parameters)
        _, reports = self.engine.cancel(order_id, client_id)
        self._publish(reports, latency * (1 - _SHARE_BEFORE_MATCHING))
        await asyncio.sleep(latency * (1 - _SHARE_BEFORE_MATCHING))
        return reports[-1]

    def public(
        self, weight: int, handler: Callable[[Parameters], Any]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Make a request handler of a function of the parameters."""

        async def handle(request: web.Request) -> web.Response:
            self.limits.use(weight)
            return self._json(handler(dict(request.query)))

        return handle

    def keyed(
        self, weight: int, handler: Callable[[Parameters], Any]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Make a request handler that demands the API key but no signature."""

        async def handle(request: web.Request) -> web.Response:
            self.limits.use(weight)
            self.credentials.check_key(request.headers.get("X-MBX-APIKEY"))
            return self._json(handler(dict(request.query)))

        return handle

    def signed(
        self, weight: int, handler: Callable[[Parameters], Awaitable[Any]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Make a request handler that demands the API key and a valid signature."""

        async def handle(request: web.Request) -> web.Response:
            self.limits.use(weight)
            self.credentials.check_key(request.headers.get("X-MBX-APIKEY"))
            query, signature_in_query = split_signature(request.rel_url.raw_query_string)
            body, signature_in_body = split_signature(await request.text())
            parameters = dict(parse_qsl(query) + parse_qsl(body))
            self.credentials.check_signature(query + body, signature_in_query or signature_in_body, parameters)
            if parameters.get("symbol", SYMBOL) != SYMBOL:
                raise Reject(-1121, "Invalid symbol.")
            return self._json(await handler(parameters))

        return handle

    def socket(
        self, serve: Callable[[web.Request], Awaitable[web.WebSocketResponse]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Make a handler of WebSocket connections that a ``disconnect`` fault can cut and refuse."""

        async def handle(request: web.Request) -> web.StreamResponse:
            if self.faults.get("disconnect") is not None:
                return web.Response(status=503, text="Service Unavailable")
            transport = request.transport
            if not isinstance(transport, asyncio.Transport):
                return web.Response(status=400)
            self._transports.add(transport)
            try:
                return await serve(request)
            finally:
                self._transports.discard(transport)

        return handle

    def depth(self, parameters: Parameters, default_limit: int) -> Json:
        """Answer a depth request."""
        check_symbol(parameters)
        self.snapshot_taken.set()
        return self.book.depth(int(parameters.get("limit", default_limit)))

    def _reject_by_fault(self) -> None:
        fault = self.faults.get("reject")
        if fault is not None and self._rng.random() < fault.value:
            usual = self.rules.funds_reject()
            if fault.code is None or fault.code == usual.code:
                raise usual
            raise Reject(fault.code, _MESSAGES.get(fault.code, "The order was rejected."))

    def _publish(self, reports: list[Report], after: float) -> None:
        delay = after
        for item in reports:
            if item.type is not ExecutionType.NEW and after:
                delay += _REPORT_DELAY.draw(self._rng)
            self._count(item)
            changed = item.type is not ExecutionType.NEW or item.order.status is Status.NEW
            self.users.send(item.order.id, self._events(item, account=changed), delay)

    def _events(self, item: Report, *, account: bool) -> Callable[[], list[Json]]:
        return lambda: [self.report_event(item), *([self.account_event()] if account else [])]

    def _count(self, item: Report) -> None:
        if item.type is ExecutionType.NEW:
            self.counts["accepted"] += 1
        elif item.type is ExecutionType.TRADE:
            self.counts["fills"] += 1
            if item.order.status is Status.FILLED:
                self.counts["filled"] += 1
        else:
            self.counts[item.order.status.value.lower()] += 1

    def _json(self, content: object, status: int = 200) -> web.Response:
        return web.Response(
            body=json.dumps(content).encode(), status=status, headers={**_JSON_HEADERS, **self.limits.headers()}
        )

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            return await handler(request)
        except Reject as reject:
            return self._json({"code": reject.code, "msg": reject.message}, reject.status)


_MESSAGES = {
    -1003: "Too many requests; please use the websocket for live updates.",
    -1013: "Filter failure: PRICE_FILTER",
    -1015: "Too many new orders.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -2010: "Account has insufficient balance for requested action.",
    -2019: "Margin is insufficient.",
    -2022: "ReduceOnly Order is rejected.",
}


def check_symbol(parameters: Parameters) -> None:
    """Refuse a symbol the venue does not list.

    Raises:
        Reject: -1102 without a symbol, -1121 for another one.

    """
    if "symbol" not in parameters:
        raise Reject(-1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
    if parameters["symbol"] != SYMBOL:
        raise Reject(-1121, "Invalid symbol.")


def order_reference(parameters: Parameters) -> tuple[int | None, str | None]:
    """Return the order id and the client order id a request names.

    Raises:
        Reject: -1102 where it names neither.

    """
    order_id, client_id = parameters.get("orderId"), parameters.get("origClientOrderId")
    if order_id is None and client_id is None:
        raise Reject(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
    return (int(order_id) if order_id is not None else None), client_id


def _new_order(parameters: Parameters) -> NewOrder:
    check_symbol(parameters)
    try:
        side = Side(parameters["side"])
        kind = OrderType(parameters["type"])
        time_in_force = TimeInForce(parameters.get("timeInForce", "GTC"))
        amounts = {key: Decimal(parameters[key]) for key in ("quantity", "price", "quoteOrderQty") if key in parameters}
    except (KeyError, ValueError, InvalidOperation) as error:
        raise Reject(-1102, f"Mandatory parameter was not sent, was empty/null, or malformed: {error}.") from None
    limited = kind is not OrderType.MARKET
    if limited and "price" not in amounts:
        raise Reject(-1102, "Mandatory parameter 'price' was not sent, was empty/null, or malformed.")
    if "quantity" not in amounts and ("quoteOrderQty" not in amounts or limited):
        raise Reject(-1102, "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed.")
    return NewOrder(
        client_id=parameters.get("newClientOrderId", ""),
        side=side,
        type=kind,
        time_in_force=time_in_force,
        quantity=amounts.get("quantity", Decimal(0)),
        price=amounts["price"] if limited else None,
        quote_quantity=amounts.get("quoteOrderQty"),
        reduce_only=parameters.get("reduceOnly", "false").lower() == "true",
    )
