"""One simulated venue: market data, orders and account behind its HTTP and WebSocket addresses."""

from __future__ import annotations

import asyncio
import json
import random
import time
from abc import ABC, abstractmethod
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic
from urllib.parse import parse_qsl

from aiohttp import web

from otel_trading.demo.venue.book import Book
from otel_trading.demo.venue.engine import AccountT, MatchingEngine
from otel_trading.demo.venue.faults import Fault, Faults
from otel_trading.demo.venue.feed import Feed
from otel_trading.demo.venue.latency import Latency
from otel_trading.demo.venue.limits import RateLimits
from otel_trading.demo.venue.orders import ExecutionType, Reject, Report, Status
from otel_trading.demo.venue.requests import Parameters, check_symbol, integer, new_order, order_reference, reject_of
from otel_trading.demo.venue.rules import RULES, SYMBOL
from otel_trading.demo.venue.signing import Credentials, split_signature
from otel_trading.demo.venue.userfeed import UserFeed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from otel_trading.demo.venue.market import Frame, VenueName

Json = dict[str, Any]

_REPORT_DELAY = Latency(0.002)
_BETWEEN_REPORTS = 0.0002
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
        limits: request weight per minute and orders per ten seconds it allows.

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
        self.users = UserFeed(self.credentials, self.envelope, self.now_ms)
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
            "malformed": dict(self.feed.malformed),
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
    def account_event(self, reports: list[Report]) -> Json | None:
        """Return the event of the account as the reports left it, ``None`` where they did not change it."""

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
        after_matching = await self._reach_matching()
        try:
            self._reject_by_fault()
            _, reports = self.engine.place(new_order(parameters))
        except Reject:
            self.counts["rejected"] += 1
            await asyncio.sleep(after_matching)
            raise
        self._publish(reports, after_matching)
        await asyncio.sleep(after_matching)
        return answer(reports[-1].order, parameters.get("newOrderRespType", "ACK"))

    async def cancel(self, parameters: Parameters) -> Report:
        """Cancel an order and return its report."""
        order_id, client_id = order_reference(parameters)
        after_matching = await self._reach_matching()
        _, reports = self.engine.cancel(order_id, client_id)
        self._publish(reports, after_matching)
        await asyncio.sleep(after_matching)
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
            query, signature_in_query = split_signature(request.raw_path.partition("?")[2])
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
            if transport is None:
                raise ConnectionResetError("the client left before it was served")
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
        return self.book.depth(integer(parameters, "limit", default_limit))

    async def _reach_matching(self) -> float:
        latency = self._ack.draw(self._rng)
        slow = self.faults.get("slow_ack")
        if slow is not None:
            latency += slow.value
        await asyncio.sleep(latency * _SHARE_BEFORE_MATCHING)
        return latency * (1 - _SHARE_BEFORE_MATCHING)

    def _reject_by_fault(self) -> None:
        fault = self.faults.get("reject")
        if fault is not None and self._rng.random() < fault.value:
            usual = self.rules.funds_reject()
            raise usual if fault.code in {None, usual.code} else reject_of(fault.code or 0)

    def _publish(self, reports: list[Report], after: float) -> None:
        """Send the reports of one match, ``after`` seconds from now or soon after that, then the changed account."""
        delay = after
        for item in reports:
            if item.type is not ExecutionType.NEW and after:
                delay += _REPORT_DELAY.draw(self._rng) if delay == after else _BETWEEN_REPORTS
            self._count(item)
            self.users.send(item.order.id, self.report_event(item), delay)
        account = self.account_event(reports)
        if account is not None:
            self.users.send(reports[-1].order.id, account, delay)

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
