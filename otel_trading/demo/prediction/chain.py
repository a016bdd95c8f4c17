"""The chain that executions are settled on: matched, mined, confirmed; or retried, failed; or never heard of again."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from otel_trading.demo.prediction.polymarket_account import Trade, TradeStatus

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from otel_trading.demo.prediction.orders import Fill


class Delays(NamedTuple):
    """Seconds from an execution until it is mined, and from then until it is confirmed."""

    mined: float = 2.0
    confirmed: float = 5.0


_SETTLES: tuple[TradeStatus, ...] = ("MINED", "CONFIRMED")
_FAILS: tuple[TradeStatus, ...] = ("RETRYING", "FAILED")


class Chain:
    """Executions on their way.

    Args:
        delays: how long each step takes.
        clock: seconds since 1970.
        changed: called when an execution's status is another one.
        new_id: a new id of so many bytes.

    """

    def __init__(
        self,
        delays: Delays,
        clock: Callable[[], float],
        changed: Callable[[Trade], Awaitable[None]],
        new_id: Callable[[int], str],
    ) -> None:
        self.trades: list[Trade] = []
        self._delays = delays
        self._clock = clock
        self._changed = changed
        self._new_id = new_id
        self._under_way: set[asyncio.Task[None]] = set()

    async def take(self, fill: Fill, *, fails: bool, stays: bool) -> Trade:
        """An execution was matched; whether it will fail, or stay so."""
        trade = Trade(fill, "MATCHED", self._clock())
        self.trades.append(trade)
        await self._changed(trade)
        if not stays:
            task = asyncio.create_task(self._settle(trade, _FAILS if fails else _SETTLES), name="settlement")
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return trade

    async def idle(self) -> None:
        """Return when no execution is on its way."""
        while self._under_way:
            await asyncio.gather(*self._under_way)

    async def close(self) -> None:
        """Leave what is on its way."""
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _settle(self, trade: Trade, steps: tuple[TradeStatus, ...]) -> None:
        for delay, status in zip(self._delays, steps, strict=True):
            await asyncio.sleep(delay)
            trade.status, trade.updated = status, self._clock()
            trade.transaction = trade.transaction or f"0x{self._new_id(32)}"
            await self._changed(trade)
