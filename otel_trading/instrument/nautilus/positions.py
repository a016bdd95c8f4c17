"""What the bus says of positions."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from nautilus_trader.model.events import PositionClosed, PositionEvent, PositionOpened

if TYPE_CHECKING:
    from otel_trading.instrument.nautilus.instruments import Instruments
    from otel_trading.trading.facade import Trading

_SHORT = 3
_POSITIONS = 10_000


class Positions:
    """Hears ``events.position.*``: sizes, and by how much realised profit changed."""

    def __init__(self, trading: Trading, instruments: Instruments, *, live: bool) -> None:
        self._trading = trading
        self._instruments = instruments
        self._live = live
        self._realized: dict[Any, Decimal] = {}
        self._sizes: dict[tuple[Any, Any], dict[Any, Decimal]] = {}

    def __call__(self, event: Any) -> None:  # noqa: ANN401 - nautilus_trader's
        """Tell it; of several positions in one instrument, as hedging has them, the size is the sum."""
        if not isinstance(event, PositionEvent):
            return
        named = self._instruments[event.instrument_id]
        now = event.ts_init if self._live else event.ts_event
        closed = type(event) is PositionClosed
        sizes = self._sizes.setdefault((event.instrument_id, event.strategy_id), {})
        if closed:
            sizes.pop(event.position_id, None)
        else:
            quantity = event.quantity.as_decimal()
            sizes[event.position_id] = -quantity if event.side == _SHORT else quantity
        alone = len(sizes) == 1
        of = {"venue": named.venue, "symbol": named.symbol, "strategy": event.strategy_id.value, "time_ns": now}
        money = event.realized_pnl
        self._trading.position_changed(
            quantity=sum(sizes.values(), Decimal(0)),
            price=event.avg_px_open if alone else None,
            currency=event.currency.code,
            unrealized=event.unrealized_pnl.as_decimal() if alone else 0 if not sizes else None,
            **of,
        )
        realized = money.as_decimal()
        before = Decimal(0) if type(event) is PositionOpened else self._realized.get(event.position_id, Decimal(0))
        if realized != before:
            self._trading.pnl_changed(realized - before, currency=money.currency.code, **of)
        if closed:
            self._realized.pop(event.position_id, None)
        elif len(self._realized) < _POSITIONS or event.position_id in self._realized:
            self._realized[event.position_id] = realized
