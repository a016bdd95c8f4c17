"""A simulated Polymarket: its gamma, order book and data APIs, its WebSocket channels, and settlement on a chain."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from otel_trading.demo.prediction import polymarket_account as account
from otel_trading.demo.prediction import polymarket_wire as wire
from otel_trading.demo.prediction.book import Leg
from otel_trading.demo.prediction.chain import Chain, Delays
from otel_trading.demo.prediction.channels import MarketChannel, UserChannel
from otel_trading.demo.prediction.orders import Account, Engine, Fill, Lasting, Order, RefusedError, State
from otel_trading.demo.prediction.polymarket_rest import Rest
from otel_trading.demo.prediction.server import Venue
from otel_trading.demo.prediction.signing import Credentials, address_of, ethereum_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from aiohttp import web

    from otel_trading.demo.prediction.polymarket_account import Trade
    from otel_trading.demo.prediction.question import Question

Json = dict[str, Any]

_NOT_FILLED = "order couldn't be fully filled. FOK orders are fully filled or killed."
_NO_MATCH = "no orders found to match with FAK order. FAK orders are partially filled or killed if no match is found."


class Source(Protocol):
    """A market to play: what is traded, and how its books move."""

    def questions(self) -> list[Question]:
        """What is traded."""
        ...

    def messages(self) -> Iterator[tuple[float, Json]]:
        """The market channel's messages, with the seconds before each."""
        ...


class Polymarket(Venue):
    """Polymarket on loopback.

    ::

        async with Polymarket(GeneratedMarkets(1), speed=None) as venue:
            client = make_polymarket(venue)
            await client.load_markets()
            watching = asyncio.create_task(client.watch_order_book(outcome))
            await venue.start()  # waits until somebody listens, then the market moves

    Args:
        source: the market it plays; nothing moves before :meth:`start`.
        speed: the multiple of the source's pace, ``None`` for as fast as clients read.
        settlement: how long executions take until they are on the chain.
        cash: dollars of the paper account.
        seed: of ids.
        port: to listen on; 0 lets the system choose.

    """

    lack_of_funds = "not enough balance / allowance"

    def __init__(
        self,
        source: Source,
        *,
        speed: float | None = 1.0,
        settlement: Delays = Delays(),  # noqa: B008 - a tuple
        cash: Decimal = Decimal(1000),
        seed: int = 1,
        port: int = 0,
    ) -> None:
        super().__init__(port)
        self.questions = source.questions()
        self.by_token = {token: question for question in self.questions for token in question.tokens.values()}
        self.account = Account(cash)
        self.engine = Engine(self.account, self.now, lambda _, __: Decimal(0), seed)
        self.private_key = ethereum_key()
        self.address = address_of(self.private_key)
        self.wallet = f"0x{self.engine.id(20)}"
        self.credentials: Credentials | None = None
        self.chain = Chain(settlement, self.now, self._settling, self.engine.id)
        self.market = MarketChannel(self, self._snapshot)
        self.user = UserChannel(self, lambda: self.credentials)
        self._source = source
        self._speed = speed
        self._replay: asyncio.Task[None] | None = None

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """See ``Venue``."""
        Rest(self).add_routes(router)
        router.add_get("/ws/market", self.market.serve)
        router.add_get("/ws/user", self.user.serve)

    def refusal(self, refused: RefusedError) -> Json:
        """See ``Venue``."""
        return {"error": refused.reason}

    @property
    def owner(self) -> str:
        """The account's API key."""
        return "" if self.credentials is None else self.credentials.key

    async def start(self, within: float | None = 60.0) -> None:
        """Let the market move as soon as somebody listens to it.

        Raises:
            TimeoutError: nobody did in time.

        """
        await asyncio.wait_for(self.market.subscribed.wait(), within)
        self._replay = asyncio.create_task(self._play(), name="replay")

    async def finished(self) -> None:
        """Return when the source is played to its end."""
        if self._replay is not None:
            await self._replay

    async def close(self) -> None:
        """See ``Venue``."""
        if self._replay is not None:
            self._replay.cancel()
            await asyncio.gather(self._replay, return_exceptions=True)
        await self.chain.close()

    async def fill(self, order_id: str, size: Decimal | None = None) -> None:
        """Somebody trades with a resting order: with all of it, or so much."""
        order = self.engine.orders[order_id]
        await self._filled(self.engine.hit(order, size))

    async def resolve(self, slug: str, result: Leg | str) -> None:
        """The question is answered: orders for it are canceled, and everybody is told."""
        question = next(each for each in self.questions if each.slug == slug)
        question.result = Leg(result)
        for order in self.engine.open():
            if order.question is question:
                await self.cancel(order)
        await self.market.publish(wire.resolved(question, self.now()))

    async def place(self, order: Order) -> list[Trade]:
        """Take an order, and fill what can be at once.

        Raises:
            RefusedError: in the venue's words.

        """
        if not self.engine.affords(order):
            raise RefusedError(self.lack_of_funds)
        try:
            fills = self.engine.place(order, f"0x{self.engine.id(32)}")
        except RefusedError:
            raise RefusedError(_NOT_FILLED) from None
        if not fills and order.lasting is Lasting.AT_ONCE:
            del self.engine.orders[order.id]
            raise RefusedError(_NO_MATCH)
        if not fills:
            await self._tell(order, "PLACEMENT")
        return await self._filled(fills)

    async def cancel(self, order: Order) -> bool:
        """Whether there was anything to cancel."""
        canceled = self.engine.cancel(order)
        if canceled:
            await self._tell(order, "CANCELLATION")
        return canceled

    async def _filled(self, fills: list[Fill]) -> list[Trade]:
        trades = []
        moved: dict[Question, list[tuple[Leg, bool, Decimal]]] = {}
        fails, stays = self.faults.get("settlement_fails") is not None, self.faults.get("unsettled") is not None
        for fill in fills:
            trades.append(await self.chain.take(fill, fails=fails, stays=stays))
            await self.market.publish(wire.last_trade(fill))
            order = fill.order
            if fill.taker:
                levels = [(order.leg, not order.buys, fill.price), (order.leg.other, order.buys, 1 - fill.price)]
                moved.setdefault(order.question, []).extend(levels)
        for question, levels in moved.items():
            await self.market.publish(wire.changes(question, levels, self.now()))
        for order in dict.fromkeys(fill.order for fill in fills):
            await self._tell(order, "UPDATE")
            if order.state is State.CANCELED:
                await self._tell(order, "CANCELLATION")
        return trades

    async def _settling(self, trade: Trade) -> None:
        if trade.status == "FAILED":
            self.account.book(trade.fill, -1)
        await self.user.publish(account.trade_message(trade, self.owner, self.wallet))

    async def _tell(self, order: Order, kind: Any) -> None:  # noqa: ANN401 - one of the message's
        await self.user.publish(account.order_message(order, kind, self.owner, self.wallet, self.now()))

    def _snapshot(self, token: str) -> Json | None:
        question = self.by_token.get(token)
        if question is None:
            return None
        return {"event_type": "book", **wire.book(question, question.leg_of(token), self.now())}

    async def _play(self) -> None:
        for pause, message in self._source.messages():
            await asyncio.sleep(pause / self._speed if self._speed else 0)
            await self.play(message)

    async def play(self, message: Json) -> None:
        """Others move the market: into the books, past resting orders, and out to who listens, with the time of now."""
        moved = self._apply(message)
        await self.market.publish({**message, "timestamp": wire.milliseconds(self.now())})
        await self._filled(self.engine.crossed(moved))

    def _apply(self, message: Json) -> Iterable[Question]:
        kind = message.get("event_type")
        if kind == "book":
            question = self.by_token[message["asset_id"]]
            leg = question.leg_of(message["asset_id"])
            question.book.replace([], [])
            for bid, side in ((True, "bids"), (False, "asks")):
                for price, size in wire.levels(message[side]):
                    question.book.set(leg, bid=bid, price=price, size=size)
            return (question,)
        moved = []
        for change in message.get("price_changes", ()):
            question = self.by_token[change["asset_id"]]
            price, size = Decimal(change["price"]), Decimal(change["size"])
            question.book.set(question.leg_of(change["asset_id"]), bid=change["side"] == "BUY", price=price, size=size)
            moved.append(question)
        return moved
