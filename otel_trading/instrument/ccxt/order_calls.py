"""The unified calls that make, change, cancel or read orders, and what each of them tells."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from otel_trading.instrument.ccxt.errors import reason_of, refused, text_of
from otel_trading.instrument.ccxt.followed import Followed, Unit, decimal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from otel_trading.instrument.ccxt.executions import Executions
    from otel_trading.trading.facade import Trading

_CLIENT_IDS = (
    *("clientOrderId", "newClientOrderId", "origClientOrderId", "client_order_id", "clientOrderID", "orderLinkId"),
    *("clOrdId", "clOrdID", "cl_ord_id", "clientOid", "client_oid", "clientId", "cloid", "customer_order_id"),
)
"""What ccxt and the venues call the bot's own id among the parameters."""
_COSTS = "cost", "quoteOrderQty"
_CANCELED: Mapping[str, Any] = {"status": "canceled"}
_unnamed = count(1)


class Call:
    """A call under way."""

    over = False
    inside: Token[Context] | None = None
    """What makes the order's span the current one while the call is made."""

    def __init__(self, trading: Trading, executions: Executions, exchange: Any, outer: Call | None = None) -> None:  # noqa: ANN401
        self.trading = trading
        self.executions = executions
        self.exchange = exchange
        self.outer = outer if outer is not None and outer.exchange is exchange and not outer.over else None
        self.venue = f"{exchange.id}"

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """It is about to be made with these arguments."""

    def done(self, result: Any) -> None:  # noqa: ANN401 - what ccxt gives
        """It gave this."""

    def failed(self, error: BaseException) -> None:
        """It raised this."""

    def followed(self) -> Followed | None:
        """The one order that it is about, if that is known already."""
        return None

    def span(self) -> Span | None:
        """The span of that order, for what is requested on its behalf."""
        about = self.followed()
        if about is None or not about.submitted or about.alone:
            return None
        order = self.trading.orders.get(about.key)
        return None if order is None else order.span

    def leaves_to(self, kind: Any) -> bool:  # noqa: ANN401 - a kind of call
        """Whether a call that is made on its behalf is told instead of it."""
        return False

    def market(self, symbol: Any) -> Any:  # noqa: ANN401 - ccxt's
        """What ccxt knows of an instrument, if it has loaded it."""
        markets = self.exchange.markets
        return markets.get(symbol) if markets else None

    def find(self, order_id: Any, symbol: Any, params: Any = None) -> Followed | None:  # noqa: ANN401 - as the bot gave it
        """The order that the bot means, if it is followed and nobody else tells of it."""
        found = self.executions.find(self.venue, order_id, symbol, client_id_of(params))
        return None if found is None or found.alone or not found.submitted else found


class Submission:
    """One order on its way."""

    def __init__(self, call: Call, asked: Mapping[str, Any]) -> None:
        self.call = call
        self.asked = asked
        self.symbol = asked.get("symbol") or asked.get("outcome")
        self.params: Mapping[str, Any] = asked.get("params") or {}
        self.client_id = client_id_of(self.params)
        self.time_ns = call.trading.clock()
        self.again = False
        """Whether the bot sends it another time."""
        self.followed: Followed | None = None
        if not self.client_id:
            call.executions.expect(call.venue)
            return
        found = call.executions.find(call.venue, None, self.symbol, self.client_id)
        if found is not None and not found.ended:
            self.followed, self.again = found, True
            return
        alone = call.trading.orders.known(call.venue, self.client_id, "") is not None and found is None
        self._submit(self.client_id, None, alone=alone or (found is not None and found.alone))

    def answered(self, order: Any) -> None:  # noqa: ANN401 - what ccxt gives
        """The venue has it, or says in its answer what became of it."""
        call, told = self.call, order if isinstance(order, dict) else {}
        order_id, client_id = told.get("id"), told.get("clientOrderId")
        self.symbol = told.get("outcome") or self.symbol  # which may have been the id of its token
        if self.followed is not None:
            self.followed.symbol = self.symbol
        if self.followed is None:
            key = f"{client_id or order_id or self._unnamed()}"
            known = call.trading.orders.known(call.venue, key, f"{order_id or ''}")
            self._submit(key, told, alone=known is not None)
        followed = self.followed
        if followed is not None:
            call.executions.follow(followed, (order_id, client_id))
            call.executions.update(followed, told)
        self._over()

    def failed(self, error: BaseException) -> None:
        """The call raised this."""
        call = self.call
        if self.followed is None:
            self._submit(self._unnamed(), None)
        followed = self.followed
        if followed is not None and not followed.alone and not followed.ended:
            if not refused(error):
                call.trading.order_unanswered(followed.key, venue=call.venue, error=type(error).__name__)
            elif not self.again or not followed.acknowledged:
                reason = reason_of(error)
                if not (self.again and reason == "duplicate_order"):
                    call.executions.end(followed)
                    kind = type(error).__name__
                    call.trading.order_rejected(
                        followed.key, venue=call.venue, reason=reason, error=kind, text=text_of(error)
                    )
        self._over()

    def _submit(self, key: str, answer: Mapping[str, Any] | None, *, alone: bool = False) -> None:
        call, asked, params = self.call, self.asked, self.params
        market = call.market(self.symbol)
        followed = self.followed = Followed(call.venue, key, self.symbol, alone=alone)
        followed.unit = Unit.of(market)
        followed.amount = decimal(asked.get("amount")) or None
        if isinstance(call.outer, Costing) or _by_cost(params):
            followed.amount = None
        if answer and followed.amount is None:
            followed.amount = decimal(answer.get("amount")) or None
        call.executions.follow(followed, (None, self.client_id or key))
        if alone:
            return
        followed.submitted = True
        kind = asked.get("type")
        call.trading.order_submitted(
            key,
            venue=call.venue,
            symbol=self.symbol,
            side=asked.get("side"),
            type=kind,
            time_in_force=params.get("timeInForce"),
            quantity=None if followed.unit.inverse else followed.unit.base(followed.amount),
            price=None if kind == "market" else decimal(asked.get("price")) or None,
            stop_price=decimal(params.get("triggerPrice") or params.get("stopPrice") or params.get("stopLossPrice")),
            instrument_type=market.get("type") if market else None,
            reduce_only=params.get("reduceOnly"),
            post_only=params.get("postOnly"),
            time_ns=self.time_ns,
        )

    def _unnamed(self) -> str:
        """A name for an order that nobody gave one: the venue refused it, or did not answer."""
        return f"unnamed-{self.call.venue}-{next(_unnamed)}"

    def _over(self) -> None:
        if not self.client_id:
            self.call.executions.expected(self.call.venue)


class Create(Call):
    """``create_order``."""

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        asked = {**dict(zip(("symbol", "type", "side", "amount", "price", "params"), args, strict=False)), **kwargs}
        self._submission = Submission(self, asked)

    def followed(self) -> Followed | None:
        return self._submission.followed

    def done(self, result: Any) -> None:  # noqa: ANN401
        self._submission.answered(result)

    def failed(self, error: BaseException) -> None:
        self._submission.failed(error)


class CreateMany(Call):
    """``create_orders``."""

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        orders = args[0] if args else kwargs.get("orders")
        self._submissions = [Submission(self, asked) for asked in orders or ()]

    def done(self, result: Any) -> None:  # noqa: ANN401
        answers = [each if isinstance(each, dict) else {} for each in result] if isinstance(result, list) else []
        named = {each.get("clientOrderId"): each for each in answers}
        in_order = len(answers) == len(self._submissions)
        for place, submission in enumerate(self._submissions):
            answer = named.get(submission.client_id) if submission.client_id else None
            submission.answered(answer or (answers[place] if in_order else {}))

    def failed(self, error: BaseException) -> None:
        for submission in self._submissions:
            submission.failed(error)


class Costing(Call):
    """A market order by its cost, which ``create_order`` is given as the amount."""

    def leaves_to(self, kind: Any) -> bool:  # noqa: ANN401
        return kind is Create


class Edit(Call):
    """``edit_order``: by the venue, or in two steps."""

    _stepwise = False

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        asked = dict(zip(("id", "symbol", "type", "side", "amount", "price", "params"), args, strict=False))
        self._asked = {**asked, **kwargs}
        symbol = self._asked.get("symbol") or self._asked.get("outcome")
        self._found = self.find(self._asked.get("id"), symbol, self._asked.get("params"))

    def leaves_to(self, kind: Any) -> bool:  # noqa: ANN401
        step = kind in {Create, Cancel}
        self._stepwise = self._stepwise or step
        return step

    def done(self, result: Any) -> None:  # noqa: ANN401
        if self._found is not None and not self._stepwise:
            asked = self._asked
            told = result if isinstance(result, dict) else {}
            amount = decimal(told.get("amount")) or decimal(asked.get("amount"))
            price = decimal(told.get("price")) or decimal(asked.get("price"))
            self.executions.replaced(self._found, told, amount or None, price or None)

    def failed(self, error: BaseException) -> None:
        if not self._stepwise:
            _not_canceled(self, self._found, error)


class Cancel(Call):
    """``cancel_order``."""

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        asked = {**dict(zip(("id", "symbol", "params"), args, strict=False)), **kwargs}
        self._found = self.find(asked.get("id"), asked.get("symbol") or asked.get("outcome"), asked.get("params"))
        _wanted_back(self, self._found)

    def followed(self) -> Followed | None:
        return self._found

    def done(self, result: Any) -> None:  # noqa: ANN401
        _canceled(self, self._found, result)

    def failed(self, error: BaseException) -> None:
        _not_canceled(self, self._found, error)


class CancelMany(Call):
    """``cancel_orders``."""

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        asked = {**dict(zip(("ids", "symbol", "params"), args, strict=False)), **kwargs}
        named, symbol = asked.get("ids") or asked.get("orders") or (), asked.get("symbol") or asked.get("outcome")
        params = asked.get("params") or {}
        wanted = [
            (each.get("id"), each.get("symbol"), each) if isinstance(each, dict) else (each, symbol, None)
            for each in named
        ]
        wanted += [(None, symbol, {"clientOrderId": each}) for each in params.get("clientOrderIds") or ()]
        found = (self.find(*each) for each in wanted)
        self._found = [each for each in found if each is not None]
        for each in self._found:
            _wanted_back(self, each)

    def done(self, result: Any) -> None:  # noqa: ANN401
        answers = [each for each in result if isinstance(each, dict)] if isinstance(result, list) else []
        for answer in answers:
            found = self.executions.find(self.venue, answer.get("id"), answer.get("symbol"))
            if found in self._found:
                _canceled(self, found, answer)

    def failed(self, error: BaseException) -> None:
        for each in self._found:
            _not_canceled(self, each, error)


class CancelAll(CancelMany):
    """``cancel_all_orders``."""

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        symbol = args[0] if args else kwargs.get("symbol") or kwargs.get("outcome")
        self._found = self.executions.open(self.venue, symbol)
        for each in self._found:
            _wanted_back(self, each)

    def done(self, result: Any) -> None:  # noqa: ANN401
        if isinstance(result, list) and any(isinstance(each, dict) and each.get("id") for each in result):
            super().done(result)
            return
        for each in self._found:  # the venue says no more than that it was done
            _canceled(self, each, None)


class Read(Call):
    """A call that hands out orders, trades or a balance; what is new in them is told."""

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - as of Call
        take: Callable[..., None],
        whole: bool = False,
    ) -> None:
        super().__init__(*args)
        self._take = take
        self._whole = whole

    def done(self, result: Any) -> None:  # noqa: ANN401
        if self._whole:
            if isinstance(result, dict):
                self._take(self.venue, result)
            return
        markets = self.exchange.markets
        for each in result if isinstance(result, list) else (result,):
            if isinstance(each, dict):
                self._take(self.venue, each, markets=markets)


def client_id_of(params: Any) -> str:  # noqa: ANN401 - parameters as the bot gave them
    """The bot's own id for an order, among the parameters of a call.

    >>> client_id_of({"timeInForce": "IOC", "newClientOrderId": "mine-1"}), client_id_of(None)
    ('mine-1', '')
    """
    if not isinstance(params, dict):
        return ""
    return next((f"{params[name]}" for name in _CLIENT_IDS if params.get(name)), "")


def _by_cost(params: Mapping[str, Any]) -> bool:
    """Whether an order is of so much of the quote currency."""
    return any(params.get(name) is not None for name in _COSTS) or params.get("tgtCcy") == "quote_ccy"


def _wanted_back(call: Call, found: Followed | None) -> None:
    if found is not None and not found.ended:
        call.trading.order_cancel_requested(found.key, venue=call.venue)


def _canceled(call: Call, found: Followed | None, answer: Any) -> None:  # noqa: ANN401 - what ccxt gives
    if found is not None:
        told = answer if isinstance(answer, dict) else {}
        call.executions.update(found, told if told.get("status") else {**told, **_CANCELED})


def _not_canceled(call: Call, found: Followed | None, error: BaseException) -> None:
    if found is not None and not found.ended and refused(error):
        kind = type(error).__name__
        call.trading.order_cancel_rejected(
            found.key, venue=call.venue, reason=reason_of(error), error=kind, text=text_of(error)
        )
