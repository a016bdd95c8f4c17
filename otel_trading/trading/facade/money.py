"""What the bot says of positions, profit and balances."""

from __future__ import annotations

from operator import mul, sub
from typing import TYPE_CHECKING, Any

from otel_trading.trading.conventions import create
from otel_trading.trading.facade.base import Reporter
from otel_trading.trading.orders.order import exactly
from otel_trading.trading.positions import Positions
from otel_trading.trading.sessions import Sessions

if TYPE_CHECKING:
    from otel_trading.metrics.instruments import Meter

_SECOND = 1e9
_POSITIONS = 10_000


class MoneyEvents(Reporter):
    """Positions, profit and loss, balances."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base takes them
        self._opened: dict[tuple[str, str, str | None], tuple[int, str | None]] = {}
        self.positions = Positions()
        """What the bot holds by its own account."""
        self.sessions = Sessions(lambda: self.clock())  # noqa: PLW0108 - the clock may be exchanged
        """Profit and loss since the session began."""
        super().__init__(*args, **kwargs)

    def connect(self, meter: Meter, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the base's
        """See ``Reporter``."""
        super().connect(meter, *args, **kwargs)
        self._active_positions: Any = create(meter, "trading.position.active")
        create(meter, "trading.pnl.session", [self.sessions.observe])

    def position_changed(
        self,
        venue: str,
        symbol: str,
        quantity: object,
        *,
        price: object = None,
        notional: object = None,
        currency: str | None = None,
        unrealized: object = None,
        strategy: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A position has a new size: negative when short, 0 when it is closed.

        Args:
            venue: where it is held.
            symbol: of what.
            quantity: in the base currency.
            price: its average price.
            notional: what it is worth; quantity times price when not given.
            currency: of price and notional.
            unrealized: what closing it would bring now, less what it cost.
            strategy: whose it is.
            time_ns: when it happened, in nanoseconds since 1970; now when not given.

        """
        try:
            now = time_ns or self.clock()
            size = self._amount("position_changed", "quantity", quantity)
            average = self._amount("position_changed", "price", price)
            worth = self._amount("position_changed", "notional", notional)
            if worth is None and size is not None and average is not None:
                worth = abs(exactly(mul, size, average))
            if size == 0:
                worth = 0
            held = None
            if size is not None:
                self.positions.put(venue, symbol, strategy, size)
                held, currency = self._held((venue, symbol, strategy), currency, open_=size != 0, now=now)
            values = (
                *(venue, symbol, strategy, size, average, worth, currency),
                self._amount("position_changed", "unrealized", unrealized),
                held,
            )
            self._say("position_changed", values, now)
        except Exception as error:
            self._failed("position_changed", error)

    def position_drifted(
        self,
        venue: str,
        symbol: str,
        *,
        believed: object,
        held: object,
        text: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """A venue holds another position than the bot knew, as a comparison of the two found.

        Args:
            venue: where it is held.
            symbol: of what.
            believed: how much the bot thought, in the base currency.
            held: how much it is.
            text: in words.
            time_ns: when it was found, in nanoseconds since 1970; now when not given.

        """
        try:
            thought = self._amount("position_drifted", "believed", believed)
            there = self._amount("position_drifted", "held", held)
            drift = None if thought is None or there is None else exactly(sub, there, thought)
            self._say("position_drifted", (venue, symbol, thought, there, drift, text), time_ns)
        except Exception as error:
            self._failed("position_drifted", error)

    def pnl_changed(
        self,
        change: object = None,
        *,
        currency: str,
        realized: object = None,
        unrealized: object = None,
        venue: str | None = None,
        symbol: str | None = None,
        strategy: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """Profit or loss changed: by how much realised profit did, net of commissions, and what is not realised now.

        ``realized`` is the total so far, which log lines show; the metrics add the changes up.
        """
        try:
            now = time_ns or self.clock()
            by = self._amount("pnl_changed", "change", change)
            open_ = self._amount("pnl_changed", "unrealized", unrealized)
            session = self.sessions.add(strategy, currency, by or 0, open_)
            values = (
                *(venue, symbol, strategy, currency, by),
                self._amount("pnl_changed", "realized", realized),
                *(open_, session),
            )
            self._say("pnl_changed", values, now)
        except Exception as error:
            self._failed("pnl_changed", error)

    def balance_changed(
        self,
        venue: str,
        currency: str,
        total: object,
        *,
        free: object = None,
        used: object = None,
        account: str | None = None,
        time_ns: int | None = None,
    ) -> None:
        """An account at a venue holds so much of a currency now."""
        try:
            amount = self._amount
            values = (
                *(venue, account, currency, amount("balance_changed", "total", total)),
                *(amount("balance_changed", "free", free), amount("balance_changed", "used", used)),
            )
            self._say("balance_changed", values, time_ns)
        except Exception as error:
            self._failed("balance_changed", error)

    def _held(
        self, key: tuple[str, str, str | None], currency: str | None, *, open_: bool, now: int
    ) -> tuple[float | None, str | None]:
        """Count the position as open or not; how many seconds it was, if it closes, and its currency."""
        venue, _, strategy = key
        opened, known = self._opened.get(key, (0, None))
        currency = currency or known
        if open_ == bool(opened):
            return None, currency
        attributes = {"trading.venue.name": venue, **({"trading.strategy.name": strategy} if strategy else {})}
        if not open_:
            del self._opened[key]
            self._active_positions.add(-1, attributes)
            return (now - opened) / _SECOND, currency
        if len(self._opened) < _POSITIONS:
            self._opened[key] = now, currency
            self._active_positions.add(1, attributes)
        return None, currency
