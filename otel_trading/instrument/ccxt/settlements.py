"""Settlements that ccxt's answers and streams tell of: executions that reach the chain or do not, markets that pay.

At Polymarket an execution is matched first and on the chain seconds later, or never. Its trade is told again at each
step: ``MATCHED``, ``MINED``, ``CONFIRMED``; or ``RETRYING``, ``FAILED``. At Kalshi and others a position is paid out
when its market is settled; ``fetch_settlements`` tells that.
"""

from __future__ import annotations

import os
import weakref
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any

from otel_trading import forks
from otel_trading.instrument.ccxt.polymarket import VENUE
from otel_trading.settings.complaints import Complaints
from otel_trading.trading.conventions import create
from otel_trading.trading.orders.order import forget_half

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.metrics import CallbackOptions, Observation

    from otel_trading.instrument.reporting import Reporting

TIMEOUT = 120.0
"""Seconds after which an execution that is not settled is told."""

_SECOND = 1_000_000_000
_ENDS = {"CONFIRMED": "settled", "FAILED": "failed"}
_OPEN, _ENDED = 10_000, 10_000
"""How many executions are waited for, and how many that ended are remembered."""
_POSITIONS = 1_000
_DIGITS = ((10**17, 1), (10**14, 10**3), (10**11, 10**6), (0, 10**9))
"""Of numbers at least so large a unit has so many nanoseconds: nano-, micro-, milliseconds, seconds."""


class Execution:
    """An execution that is not settled yet."""

    __slots__ = ("about", "late", "matched_ns", "seen_ns", "since_ns")

    def __init__(self, about: dict[str, Any], matched_ns: int | None, seen_ns: int, since_ns: int) -> None:
        self.about = about
        self.matched_ns = matched_ns
        """By the venue's clock, which says whole seconds."""
        self.seen_ns = seen_ns
        self.since_ns = since_ns
        self.late = False


class Settlements:
    """Says ``trading.settlement_completed`` of what is told for the first time, once.

    No call raises, and all may come from any thread and any number of times. What was settled before this was made is
    not told.

    Args:
        said: where to say it.
        timeout: seconds after which an execution that is not settled is told as ``timeout``; it may settle later, and
            that is told then, too.

    """

    def __init__(self, said: Reporting, *, timeout: float = TIMEOUT) -> None:
        self._trading = said.trading
        self._timeout_ns = int(timeout * _SECOND)
        self._began_ns: int = said.trading.clock()
        self._lock = forks.lock()
        self._complaints = Complaints("settlements of ccxt")
        self._open: dict[tuple[str, str, str], Execution] = {}
        self._ended: dict[Any, None] = {}
        self._executed: dict[tuple[str, str], int] = {}
        self.on = said.orders
        """Whether anything is told: not in a bot that tells it itself, and not any more once this is closed."""
        _all.add(self)
        if self.on:
            create(said.meter, "trading.execution.settlement.pending", [_pending])

    def close(self) -> None:
        """Tell nothing more."""
        self.on = False
        self.forget()

    def forget(self) -> None:
        """Forget all executions, as in a forked child, where they are the parent's."""
        with self._lock:
            for known in (self._open, self._ended, self._executed):
                known.clear()

    def trade(self, venue: str, trade: Mapping[str, Any]) -> None:
        """Take in one of the account's own trades, as ``polymarket.own_trades`` gives it."""
        if self.on and "outcome" in trade:
            try:
                self._trade(venue, trade)
            except Exception as error:
                self._failed(error)

    def settlement(self, venue: str, settlement: Mapping[str, Any]) -> None:
        """Take in what a settled market paid, as ``fetch_settlements`` gives it."""
        if self.on:
            try:
                self._settlement(venue, settlement)
            except Exception as error:
                self._failed(error)

    def pending(self) -> dict[str, int]:
        """How many executions are not settled, by venue; those that take too long are told, off the bot's way."""
        if not self.on:
            return {}
        self._overdue()
        with self._lock:
            return Counter(venue for venue, _, _ in self._open)

    def _trade(self, venue: str, trade: Mapping[str, Any]) -> None:
        now = self._trading.clock()
        self._remember(venue, trade, now)
        info = trade.get("info")
        if venue != VENUE or not isinstance(info, dict) or not info.get("status"):
            return
        key = (venue, f"{trade.get('id')}", f"{trade.get('order')}")
        outcome = _ENDS.get(f"{info['status']}".upper())
        with self._lock:
            if key in self._ended:
                return
            execution = self._open.get(key)
            if execution is None:
                execution = self._found(key, trade, info, now)
                if outcome and execution.matched_ns is not None and execution.matched_ns + _SECOND <= self._began_ns:
                    self._end(key)
                    return
                self._open[key] = execution
                if len(self._open) > _OPEN:
                    forget_half(self._open)
            if outcome:
                self._end(key)
        if outcome:
            self._tell(execution, outcome, time_of(info.get("last_update")), now, info)

    def _found(
        self, key: tuple[str, str, str], trade: Mapping[str, Any], info: Mapping[str, Any], now: int
    ) -> Execution:
        venue, name, order_id = key
        known = self._trading.orders.known(venue, "", order_id)
        about = {
            "venue": venue,
            "symbol": trade.get("outcome") or trade.get("outcomeId"),
            "client_order_id": None if known is None else known.client_order_id,
            "venue_order_id": order_id,
            "execution_id": name,
        }
        matched = time_of(info.get("match_time") or info.get("matchtime"))
        return Execution(about, matched, now, max(self._began_ns, min(now, matched or now)))

    def _tell(
        self, execution: Execution, outcome: str, updated_ns: int | None, now: int, info: Mapping[str, Any]
    ) -> None:
        duration = (now - execution.seen_ns) / _SECOND
        if execution.matched_ns is not None and updated_ns is not None:
            by_venue = (updated_ns - execution.matched_ns) / _SECOND
            if execution.seen_ns == now or abs(duration - by_venue) > 1:  # nobody looked in time
                duration = by_venue
        self._trading.settlement_completed(
            **execution.about,
            outcome=outcome,
            duration=max(duration, 0.0),
            transaction=info.get("transaction_hash") or None,
            text_=f"{info.get('status')}",
        )

    def _overdue(self) -> None:
        now = self._trading.clock()
        with self._lock:
            late = [each for each in self._open.values() if not each.late and now - each.since_ns > self._timeout_ns]
            for each in late:
                each.late = True
        for each in late:
            waited = (now - each.since_ns) / _SECOND
            self._trading.settlement_completed(
                **each.about, outcome="timeout", duration=waited, text_=f"not settled after {waited:.0f} s"
            )

    def _settlement(self, venue: str, row: Mapping[str, Any]) -> None:
        market = f"{row.get('outcomeId') or row.get('id')}"
        at = time_of(row.get("timestamp"))
        key = (venue, market, at)
        with self._lock:
            known = key in self._ended
            if not known:
                self._end(key)
            executed = self._executed.get((venue, market))
        if known or (at is not None and at + _SECOND <= self._began_ns):
            return
        self._trading.settlement_completed(
            venue=venue,
            symbol=row.get("outcome"),
            outcome="settled",
            duration=None if executed is None or at is None else max(at - executed, 0) / _SECOND,
            text_=_payout(row),
            time_ns=at,
        )

    def _remember(self, venue: str, trade: Mapping[str, Any], now: int) -> None:
        """When a position was changed last, for how long it took to settle."""
        market = trade.get("outcomeId")
        if market is not None and venue != VENUE:
            key, at = (venue, f"{market}"), time_of(trade.get("timestamp")) or now
            with self._lock:
                self._executed[key] = max(at, self._executed.get(key, 0))
                if len(self._executed) > _POSITIONS:
                    forget_half(self._executed)

    def _end(self, key: Any) -> None:  # noqa: ANN401 - of an execution or a market
        self._open.pop(key, None)
        self._ended[key] = None
        if len(self._ended) > _ENDED:
            forget_half(self._ended)

    def _failed(self, error: Exception) -> None:
        self._complaints.say(f"a settlement could not be followed: {type(error).__name__}: {error}")


_all: weakref.WeakSet[Settlements] = weakref.WeakSet()


def _pending(_: CallbackOptions) -> Iterable[Observation]:
    """For ``trading.execution.settlement.pending``; one function, as engines take it once or more often."""
    from opentelemetry.metrics import Observation

    counts: Counter[str] = Counter()
    for settlements in list(_all):
        counts.update(settlements.pending())
    return [Observation(count, {"trading.venue.name": venue}) for venue, count in counts.items()]


def _forget_all() -> None:
    for settlements in list(_all):
        settlements.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


def time_of(said: Any) -> int | None:  # noqa: ANN401 - as the venue says it
    """A time in nanoseconds since 1970, from seconds, milli-, micro- or nanoseconds, or as ISO 8601 writes it.

    >>> time_of("1703875200"), time_of(1703875200123), time_of("2023-12-29T18:40:00Z"), time_of(""), time_of("soon")
    (1703875200000000000, 1703875200123000000, 1703875200000000000, None, None)
    """
    if not said:
        return None
    try:
        number = float(said)
    except (TypeError, ValueError):
        try:
            return int(datetime.fromisoformat(f"{said}").timestamp()) * _SECOND
        except ValueError:
            return None
    whole = int(number)
    unit = next((unit for least, unit in _DIGITS if whole >= least), None)
    return None if unit is None else int(f"{said}") * unit if f"{said}".isdigit() else int(number * unit)


def _payout(row: Mapping[str, Any]) -> str:
    """What a market paid, in words.

    >>> _payout({"result": "YES", "won": True, "amount": 10, "cost": 4.2, "payout": 10.0, "pnl": 5.8})
    'YES: won, 10 contracts, cost 4.2, payout 10.0, profit 5.8'
    """
    parts = ["won" if row.get("won") else "lost", f"{row.get('amount')} contracts"]
    named = (("cost", "cost"), ("payout", "payout"), ("pnl", "profit"))
    parts += [f"{word} {row[name]}" for name, word in named if row.get(name) is not None]
    return f"{row.get('result') or 'settled'}: {', '.join(parts)}"
