"""What ccxt.pro keeps of the bot's own orders and trades."""

from __future__ import annotations

import weakref
from collections import deque
from typing import TYPE_CHECKING, Any

from otel_trading.instrument.ccxt.orders import LEFT_ALONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.instrument.ccxt.executions import Executions

_ROLE = "_otel_trading"
_MOST = 10_000
"""Updates that wait to be told; only a flood between two frames makes so many."""


class Caches:
    """Hands what is appended to an exchange's orders and trades to those who follow orders.

    ccxt appends while it handles a frame; the appended is told right after the frame, trades before orders.
    """

    def __init__(self, executions: Executions) -> None:
        self._executions = executions
        self.exchanges: weakref.WeakSet[Any] = weakref.WeakSet()
        """Those that have streams."""
        self.appended: deque[tuple[Any, Any]] = deque(maxlen=_MOST)
        """What is not told yet: a cache, and what was appended to it."""

    def appending(self, append: Any) -> Any:  # noqa: ANN401 - a function of ccxt's
        """Replace ``append`` of ccxt's caches by id."""
        appended = self.appended

        def append_(cache: Any, item: Any) -> Any:  # noqa: ANN401
            result = append(cache, item)
            appended.append((cache, item))
            return result

        return append_

    def tell(self) -> None:
        """Tell what was appended since."""
        orders: list[tuple[Any, Any]] = []
        while self.appended:
            try:
                cache, item = self.appended.popleft()
            except IndexError:  # another thread was quicker
                break
            role, exchange = self._role(cache)
            if exchange is None or not getattr(exchange, LEFT_ALONE, True):
                continue
            if role == "trades":
                self._executions.trade(exchange.id, item, markets=exchange.markets)
            else:
                orders.append((exchange, item))
        for exchange, item in orders:
            self._executions.order(exchange.id, item, markets=exchange.markets)

    def _role(self, cache: Any) -> tuple[str, Any]:  # noqa: ANN401
        """What a cache is of, and whose it is; found once."""
        known: tuple[str, Callable[[], Any]] | None = vars(cache).get(_ROLE)
        if known is None:
            known = self._found(cache)
            setattr(cache, _ROLE, known)
        return known[0], known[1]()

    def _found(self, cache: Any) -> tuple[str, Callable[[], Any]]:  # noqa: ANN401
        for exchange in list(self.exchanges):
            for name, value in list(vars(exchange).items()):
                if value is cache or (isinstance(value, dict) and any(each is cache for each in value.values())):
                    lowered = name.lower()
                    if "order" in lowered:
                        return "orders", weakref.ref(exchange)
                    if lowered == "mytrades":
                        return "trades", weakref.ref(exchange)
        return "", lambda: None
