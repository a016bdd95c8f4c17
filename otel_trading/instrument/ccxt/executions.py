"""What unified orders and trades of ccxt's say happened, each thing once, whoever brings the news.

Answers to requests, polled lists and streams tell the same executions again and again: as trades with ids, and as
orders that say how much of them is filled by now. Of each order, the kind of report that told its first execution is
the one that its executions are taken from.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from otel_trading import forks
from otel_trading.instrument.ccxt.followed import ZERO, Executed, Followed, Unit, commission_of, decimal
from otel_trading.instrument.ccxt.polymarket import own_order, own_trades
from otel_trading.settings.complaints import Complaints
from otel_trading.trading.orders.order import forget_half

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from otel_trading.instrument.ccxt.settlements import Settlements
    from otel_trading.trading.facade import Trading

_OPEN, _ENDED = 10_000, 4_096
"""How many orders are followed, and how many that ended are remembered."""
_EARLY = 1_024
"""How many reports are kept that may be of an order whose id is not known yet."""
_BALANCES = 1_000
"""How many currencies at all venues are told apart."""
_ENDS = frozenset({"canceled", "expired", "rejected"})


class Executions:
    """Follows orders by what ccxt hands out, and says what is new to ``trading``.

    No call raises, and all of them may come from any thread, in any order and any number of times. Orders that the
    bot submitted by ``trading.order_submitted`` itself are left to it. An order that nobody submitted is followed once
    it is seen open; history is not told.
    """

    def __init__(self, trading: Trading, *, on: bool = True, settlements: Settlements | None = None) -> None:
        self._trading = trading
        self.on = on
        """Whether anything is told of orders."""
        self._settlements = settlements
        self._lock = forks.lock()
        self._complaints = Complaints("orders of ccxt")
        self._names: dict[tuple[str, str, str], Followed] = {}
        self._open: dict[Followed, None] = {}
        self._ended: dict[Followed, None] = {}
        self._expected: dict[str, int] = {}
        self._held: dict[tuple[str, str], tuple[Any, Any, Any]] = {}
        self._early: deque[tuple[bool, str, Mapping[str, Any], Any]] = deque(maxlen=_EARLY)

    def order(self, venue: str, order: Mapping[str, Any], *, markets: Mapping[str, Any] | None = None) -> None:
        """Take in an order as ccxt unified it: its state, and how much of it is filled by now.

        Args:
            venue: ``exchange.id``.
            order: what ``parse_order`` gave.
            markets: ``exchange.markets``; without it contracts count as one unit of the base currency each.

        """
        if self.on:
            self._take(True, venue, order, markets)

    def trade(self, venue: str, trade: Mapping[str, Any], *, markets: Mapping[str, Any] | None = None) -> None:
        """Take in one of the account's own trades as ccxt unified it; arguments as of ``order``."""
        if not self.on:
            return
        try:
            parts = own_trades(venue, trade, lambda order_id: self.find(venue, order_id) is not None)
        except Exception as error:
            self._failed(error)
            return
        for own in parts:
            self._take(False, venue, own, markets)

    def settlement(self, venue: str, settlement: Mapping[str, Any], *, markets: Any = None) -> None:  # noqa: ANN401 - as the others
        """Take in what a settled market paid, as ``fetch_settlements`` gives it."""
        if self._settlements is not None:
            self._settlements.settlement(venue, settlement)

    def balance(self, venue: str, balance: Mapping[str, Any]) -> None:
        """Take in a unified balance: what the account holds of each currency, where that is new."""
        try:
            self._balance(venue, balance)
        except Exception as error:
            self._failed(error)

    def _balance(self, venue: str, balance: Mapping[str, Any]) -> None:
        if not self.on:
            return
        free, used = balance.get("free") or {}, balance.get("used") or {}
        for currency, total in (balance.get("total") or {}).items():
            if total is None:
                continue
            key, held = (venue, currency), (total, free.get(currency), used.get(currency))
            known = self._held.get(key)
            if known == held or (known is None and (not float(total) or len(self._held) >= _BALANCES)):
                continue
            self._held[key] = held
            self._trading.balance_changed(venue, currency, total, free=held[1], used=held[2])

    def _take(self, whole: bool, venue: str, report: Any, markets: Any) -> None:  # noqa: ANN401 - as above
        try:
            if not whole and self._settlements is not None:
                self._settlements.trade(venue, report)
            with self._lock:
                found = self._find(venue, report, whole=whole)
                if found is None:
                    if self._expected.get(venue):
                        self._early.append((whole, venue, dict(report), markets))
                    elif whole:
                        self._restore(venue, report, markets)
                elif not found.alone:
                    if whole:
                        self.update(found, report)
                    else:
                        self._executed(found, report)
        except Exception as error:
            self._failed(error)

    def find(self, venue: str, order_id: Any, symbol: Any = None, client_id: Any = None) -> Followed | None:  # noqa: ANN401
        """The order of these ids, if it is followed."""
        names, at = self._names, f"{symbol or ''}"
        found = names.get((venue, at, f"{order_id}")) if order_id else None
        if found is None and client_id:
            found = names.get((venue, "", f"={client_id}"))
        if found is None and order_id:
            found = names.get((venue, "", f"{order_id}"))
            if found is not None and at and found.symbol and found.symbol != at:
                return None  # ids of some venues are unique by symbol only
        return found

    def follow(self, followed: Followed, *ids: tuple[Any, Any]) -> None:
        """Have an order found by these ids of the venue's and of the bot's from now on."""
        with self._lock:
            for order_id, client_id in ids:
                if order_id:
                    followed.order_id = f"{order_id}"
                    self._name(followed, followed.symbol or "", f"{order_id}")
                    self._name(followed, "", f"{order_id}")
                if client_id:
                    self._name(followed, "", f"={client_id}")
            kept = self._ended if followed.ended else self._open
            kept[followed] = None
            if len(kept) > (_ENDED if followed.ended else _OPEN):
                self._forget_half(kept)

    def expect(self, venue: str) -> None:
        """An order is on its way whose ids are not known yet: reports of unknown orders wait for them."""
        with self._lock:
            self._expected[venue] = self._expected.get(venue, 0) + 1

    def expected(self, venue: str) -> None:
        """It arrived, or did not."""
        with self._lock:
            self._expected[venue] = max(0, self._expected.get(venue, 0) - 1)
            waiting = [self._early.popleft() for _ in range(len(self._early))]
        for report in waiting:
            self._take(*report)

    def update(self, followed: Followed, order: Mapping[str, Any]) -> None:
        """Say what an order's state tells that was not told yet."""
        if not followed.submitted or followed.alone:
            return
        order = own_order(followed.venue, order)
        with self._lock:
            status = order.get("status")
            order_id = order.get("id")
            if order_id and f"{order_id}" != followed.order_id:
                if followed.order_id:
                    return  # of the one that it replaced, or of the one that will replace it
                self.follow(followed, (order_id, order.get("clientOrderId")))
            if not followed.acknowledged and status != "rejected" and order_id:
                followed.acknowledged = True
                self._trading.order_acknowledged(followed.key, venue_order_id=followed.order_id, venue=followed.venue)
            self._sized(followed, order)
            trades = order.get("trades")
            if trades:
                self._trades(followed, trades, over=status == "closed")
            over = status == "closed" or status in _ENDS
            filled = decimal(order.get("filled"))
            if filled is not None and followed.more(filled) and (over or followed.source != "trades"):
                followed.source = "orders"
                self._filled(followed, order, filled, closed=status == "closed")
            if over and not followed.ended:
                self._over(followed, f"{status}")

    def open(self, venue: str, symbol: Any = None) -> list[Followed]:  # noqa: ANN401 - as the bot names it
        """The orders at a venue that are followed and have not ended."""
        with self._lock:
            return [
                each
                for each in self._open
                if each.venue == venue and each.submitted and (symbol is None or each.symbol == symbol)
            ]

    def replaced(
        self, followed: Followed, order: Mapping[str, Any], amount: Decimal | None, price: Decimal | None
    ) -> None:
        """The venue has another order in its place, or the same one with another amount or price."""
        with self._lock:
            order_id, client_id = order.get("id"), order.get("clientOrderId")
            if order_id and f"{order_id}" != followed.order_id:
                followed.restart()
            followed.amount = amount or followed.amount
            former = followed.key
            if client_id and followed.key != followed.order_id:
                followed.key = f"{client_id}"
            self.follow(followed, (order_id, client_id))
            whole = None if followed.amount is None else followed.before + followed.amount
            self._trading.order_replaced(
                former,
                new_client_order_id=followed.key if followed.key != former else None,
                quantity=None if followed.unit.inverse else followed.unit.base(whole),
                price=price,
                venue=followed.venue,
            )
            known = self._trading.orders.get(followed.key)
            if known is not None and order_id:
                known.order_id = f"{order_id}"
            self.update(followed, order)

    def end(self, followed: Followed) -> None:
        """It ended: told by whoever calls this."""
        with self._lock:
            followed.ended = True
            self._open.pop(followed, None)
            self.follow(followed)

    def _find(self, venue: str, report: Mapping[str, Any], *, whole: bool) -> Followed | None:
        symbol = report.get("symbol") or report.get("outcome")
        if whole:
            return self.find(venue, report.get("id"), symbol, report.get("clientOrderId"))
        return self.find(venue, report.get("order"), symbol)

    def _sized(self, followed: Followed, order: Mapping[str, Any]) -> None:
        """Learn how much the order is of, where its submission did not say."""
        if followed.amount is not None:
            return
        followed.amount = decimal(order.get("amount")) or None
        known = self._trading.orders.get(followed.key)
        if known is not None and known.quantity is None and not followed.unit.inverse:
            known.quantity = followed.unit.base(followed.amount)

    def _trades(self, followed: Followed, trades: Any, *, over: bool) -> None:  # noqa: ANN401 - as ccxt gives it
        named = [trade for trade in trades if trade.get("id") is not None]
        for trade in named:
            self._executed(followed, trade, last=over and trade is named[-1])

    def _executed(self, followed: Followed, trade: Mapping[str, Any], *, last: bool = False) -> None:
        """A trade with an id; the same one does not count again."""
        name, amount, price = trade.get("id"), decimal(trade.get("amount")), decimal(trade.get("price"))
        if not followed.submitted or followed.source == "orders" or name is None or not amount or amount < 0:
            return
        name = f"{name}"
        if name in followed.trades:
            return
        followed.source = "trades"
        followed.trades.add(name)
        base = followed.add(amount, price)
        commission, currency = commission_of(trade)
        self._tell(
            followed,
            complete=last or followed.complete,
            quantity=base,
            price=price,
            execution_id=name,
            liquidity=trade.get("takerOrMaker"),
            commission=commission,
            commission_currency=currency,
        )

    def _filled(self, followed: Followed, order: Mapping[str, Any], filled: Any, *, closed: bool) -> None:  # noqa: ANN401
        quantity, price, commission = followed.since(Executed.of(order, filled, followed.unit))
        self._tell(
            followed,
            complete=(closed and followed.amount is None) or followed.complete,
            quantity=quantity,
            price=price,
            commission=commission or None,
            commission_currency=followed.currency,
        )

    def _tell(self, followed: Followed, *, complete: bool | None, **execution: Any) -> None:  # noqa: ANN401
        self._trading.order_filled(
            followed.key,
            venue_order_id=followed.order_id or None,
            venue=followed.venue,
            complete=complete,
            **execution,
        )
        if complete and not followed.ended:
            self.end(followed)

    def _over(self, followed: Followed, status: str) -> None:
        """The venue says that no more comes of it."""
        trading, key = self._trading, followed.key
        about: dict[str, Any] = {"venue_order_id": followed.order_id or None, "venue": followed.venue}
        self.end(followed)
        if status == "rejected":
            trading.order_rejected(key, text="rejected by the venue", **about)
        elif status == "expired":
            trading.order_expired(key, **about)
        elif status == "canceled" or followed.complete is False or not followed.told:
            trading.order_canceled(key, reason=None if status == "canceled" else status, **about)
        else:
            now = trading.clock()
            order, _, ended, _ = trading.orders.fill(
                followed.venue, key, followed.order_id, "", 0, None, now, complete=True
            )
            if ended:
                trading._end(order, now)  # noqa: SLF001 - nothing happened but that nothing more is to come

    def _restore(self, venue: str, order: Mapping[str, Any], markets: Any) -> None:  # noqa: ANN401 - ccxt's
        """An order that is open, though nobody here submitted it."""
        order_id, client_id = order.get("id"), order.get("clientOrderId")
        if order.get("status") != "open" or not (order_id or client_id):
            return
        symbol = order.get("symbol") or order.get("outcome")
        key = f"{client_id or order_id}"
        known = self._trading.orders.known(venue, key, f"{order_id or ''}")
        followed = Followed(venue, key, symbol, alone=known is not None)
        followed.unit = Unit.of(markets.get(symbol) if markets else None)
        followed.amount = decimal(order.get("amount")) or None
        self.follow(followed, (order_id, client_id))
        if followed.alone:
            return
        followed.submitted = followed.acknowledged = True
        filled = decimal(order.get("filled")) or ZERO
        price = decimal(order.get("price")) or None
        if filled:
            followed.since(Executed.of(order, filled, followed.unit))
            followed.source = "orders"
        self._trading.order_restored(
            client_order_id=client_id,
            venue_order_id=order_id,
            venue=venue,
            symbol=symbol,
            side=order.get("side"),
            type=order.get("type"),
            time_in_force=order.get("timeInForce"),
            quantity=None if followed.unit.inverse else followed.unit.base(followed.amount),
            price=price,
            cumulative_quantity=followed.unit.base(filled, price) if filled else None,
        )

    def _name(self, followed: Followed, symbol: str, name: str) -> None:
        key = (followed.venue, symbol, name)
        if self._names.get(key) is not followed:
            self._names[key] = followed
            followed.names.append(key)

    def _forget_half(self, kept: dict[Followed, None]) -> None:
        before = list(kept)
        forget_half(kept)
        for followed in before[: len(before) - len(kept)]:
            for name in followed.names:
                if self._names.get(name) is followed:
                    del self._names[name]

    def _failed(self, error: BaseException) -> None:
        self._complaints.say(f"an order of ccxt could not be read: {type(error).__name__}: {error}")
