"""Orders, executions, positions, profit, limits and breakers, as the page shows them."""

from __future__ import annotations

from collections import defaultdict
from itertools import islice
from operator import add
from typing import TYPE_CHECKING, Any

from otel_trading.ops.cockpit.memory import fields
from otel_trading.ops.cockpit.values import Tree, known, milliseconds, number, words
from otel_trading.trading.orders.order import exactly

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.ops.cockpit.memory import Memory, Said
    from otel_trading.trading.facade import Trading
    from otel_trading.trading.orders import Order

    Told = Mapping[str, Any]
    Make = Callable[[Told], Tree]

ROWS = 50
"""Rows of a table; where there are more, those that matter most."""

_MOST_ORDERS = 1_000
"""Open orders that are looked through for the newest ones."""


class Tables:
    """Reads the memory; a row is made once and stays the same as long as nothing new is said of it."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._made: dict[str, dict[Any, tuple[Said, Tree]]] = defaultdict(dict)

    def executions(self) -> Tree:
        """The last executions, the orders that were refused last, the last trades."""
        outcomes = self._memory.outcomes.copy()
        return {
            "fills": self._recent("order_filled", fill),
            "rejects": self._recent("order_rejected", reject),
            "trades": self._recent("trade_completed", trade),
            "outcomes": {words(outcome, 40): count for outcome, count in outcomes.items()},
        }

    def money(self) -> Tree:
        """Profit by strategy and currency, positions, balances."""
        positions = self._last("position_changed", position)
        positions.sort(key=lambda each: (not each[1].get("quantity"), -abs(each[1].get("notional", 0)), each[0]))
        balances = self._last("balance_changed", balance)
        return {"pnl": self._profit(), "positions": dict(positions[:ROWS]), "balances": dict(balances[:ROWS])}

    def risk(self) -> Tree:
        """Whether the bot trades, its limits and breakers, what was measured of its risk."""
        limits = self._last("limit_checked", limit)
        limits.sort(key=lambda each: (-each[1].get("share", 0), each[0]))
        return {
            "trading": self._state(),
            "limits": dict(limits[:ROWS]),
            "breakers": dict(self._last("breaker_changed", breaker)[:ROWS]),
            "measures": dict(self._last("risk_measured", measure)[:ROWS]),
        }

    def connections(self) -> Tree:
        """Each connection to a venue, as it was told last."""
        return dict(self._last("connection_changed", connection)[:ROWS])

    def _recent(self, name: str, make: Make) -> Tree:
        """By their numbers, so that one that is there stays the same row."""
        said = self._memory.recent[name].copy()
        first = max(self._memory.counts[name], len(said)) - len(said)
        return dict(self._rows(name, {str(first + place): one for place, one in enumerate(said)}, make))

    def _last(self, name: str, make: Make) -> list[tuple[str, Tree]]:
        return self._rows(name, self._memory.last[name].copy(), make)

    def _rows(self, name: str, said: Mapping[Any, Said], make: Make) -> list[tuple[str, Tree]]:
        before, now = self._made[name], {}
        for key, one in said.items():
            made = before.get(key)
            if made is None or made[0] is not one:
                made = one, make(fields(name, one[0])) | {"time": milliseconds(one[1]) or 0}
            now[key] = made
        self._made[name] = now
        return [(_key(key if isinstance(key, tuple) else (key,)), row) for key, (_, row) in now.items()]

    def _profit(self) -> Tree:
        memory = self._memory
        open_: dict[tuple[Any, ...], Any] = {}
        for (strategy, currency, _, _), amount in memory.unrealized.copy().items():
            open_[strategy, currency] = exactly(add, open_.get((strategy, currency), 0), amount)
        realized = memory.realized.copy()
        return {
            _key(key): known(
                strategy=words(key[0]),
                currency=words(key[1]),
                session=number(session, 8),
                realized=number(realized.get(key), 8),
                unrealized=number(open_.get(key), 8),
            )
            for key, session in islice(memory.session.copy().items(), ROWS)
        }

    def _state(self) -> Tree:
        said = self._memory.state
        if said is None:
            return {"halted": False}
        name, values, time_ns = said
        told = fields(name, values)
        return known(
            halted=name == "halted",
            trigger=words(told["trigger"]),
            reason=words(told["reason"] or told["text"]),
            time=milliseconds(time_ns),
        )


def orders(trading: Trading, memory: Memory) -> Tree:
    """How many there are, and the newest that are open."""
    all_of_them, counts = trading.orders, memory.counts
    newest = list(all_of_them)[-ROWS:] if len(all_of_them) <= _MOST_ORDERS else []
    return {
        "open": len(all_of_them),
        "submitted": all_of_them.submitted,
        "acknowledged": counts["order_acknowledged"],
        "filled": counts["order_filled"],
        "canceled": counts["order_canceled"],
        "expired": counts["order_expired"],
        "rejected": counts["order_rejected"],
        "unanswered": counts["order_unanswered"],
        "anomalies": counts["order_anomaly_reported"],
        "failures": sum(trading.failures.values()),
        "rows": {words(order.client_order_id or order.order_id, 80) or "-": _order(order) for order in newest},
    }


def _order(order: Order) -> Tree:
    return known(
        venue=words(order.venue),
        symbol=words(order.symbol),
        side=words(order.side),
        type=words(order.type),
        strategy=words(order.strategy),
        quantity=number(order.quantity),
        price=number(order.price),
        done=number(order.cumulative_quantity),
        status="canceling" if order.cancel_requested_ns else words(order.status),
        time=milliseconds(order.submitted_ns),
    )


def fill(told: Told) -> Tree:
    """An execution."""
    return known(
        venue=words(told["venue"]),
        symbol=words(told["symbol"]),
        side=words(told["side"]),
        strategy=words(told["strategy"]),
        order=words(told["client_order_id"] or told["order_id"], 80),
        quantity=number(told["last_quantity"]),
        price=number(told["last_price"]),
        liquidity=words(told["liquidity"]),
        commission=number(told["commission"]),
        currency=words(told["commission_currency"] or told["currency"]),
        slippage=number(told["slippage_bps"], 3),
        status=words(told["status"]),
    )


def reject(told: Told) -> Tree:
    """An order that a venue refused."""
    return known(
        venue=words(told["venue"]),
        symbol=words(told["symbol"]),
        side=words(told["side"]),
        order=words(told["client_order_id"] or told["order_id"], 80),
        reason=words(told["reject_reason"]),
        error=words(told["error_type"]),
        text=words(told["text"]),
    )


def trade(told: Told) -> Tree:
    """A trade of one leg or several."""
    return known(
        strategy=words(told["strategy"]),
        symbol=words(told["symbol"]),
        outcome=words(told["outcome"]),
        profit=number(told["net_profit"], 8),
        currency=words(told["currency"]),
        seconds=number(told["duration_seconds"], 6),
        text=words(told["text"]),
    )


def position(told: Told) -> Tree:
    """What is held at a venue."""
    return known(
        venue=words(told["venue"]),
        symbol=words(told["symbol"]),
        strategy=words(told["strategy"]),
        quantity=number(told["position"]),
        price=number(told["entry_price"], 8),
        notional=number(told["position_notional"], 4),
        currency=words(told["currency"]),
        unrealized=number(told["unrealized"], 8),
    )


def balance(told: Told) -> Tree:
    """What an account holds of a currency."""
    return known(
        venue=words(told["venue"]),
        account=words(told["account"]),
        currency=words(told["currency"]),
        total=number(told["balance"]),
        free=number(told["balance_free"]),
        used=number(told["balance_used"]),
    )


def limit(told: Told) -> Tree:
    """How much of what is allowed is used."""
    return known(
        name=words(told["limit_name"]),
        scope=words(told["scope"]),
        of=_of(told),
        used=number(told["used"], 6),
        limit=number(told["limit"], 6),
        share=number(told["utilization"], 4),
        result=words(told["result"]),
        text=words(told["text"]),
    )


def breaker(told: Told) -> Tree:
    """A circuit breaker."""
    return known(
        name=words(told["breaker"]),
        state=words(told["breaker_state"]),
        reason=words(told["reason"] or told["text"]),
    )


def measure(told: Told) -> Tree:
    """A measure of risk."""
    return known(
        name=words(told["measure"]),
        of=_of(told),
        value=number(told["value"], 8),
        currency=words(told["currency"]),
        confidence=words(told["confidence"]),
        window=words(told["window"]),
    )


def connection(told: Told) -> Tree:
    """A connection to a venue."""
    return known(
        venue=words(told["venue"]),
        connection=words(told["connection"]),
        state=words(told["connection_state"]),
        reason=words(told["reason"]),
        error=words(told["error_type"]),
    )


def _of(told: Told) -> str | None:
    """What a figure holds for."""
    return words(" ".join(str(told[each]) for each in ("strategy", "venue", "symbol") if told[each])) or None


def _key(key: tuple[Any, ...]) -> str:
    return words(" ".join(str(each) for each in key if each is not None), 200) or "-"
