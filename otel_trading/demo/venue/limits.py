"""Request weight and order count, kept and enforced per interval as the venue's headers tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.demo.venue.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Callable

_MINUTE = 60.0
_TEN_SECONDS = 10.0


class _Window:
    def __init__(self, seconds: float, limit: int) -> None:
        self.seconds = seconds
        self.limit = limit
        self.used = 0
        self._number = -1

    def add(self, now: float, amount: int) -> None:
        number = int(now // self.seconds)
        if number != self._number:
            self._number = number
            self.used = 0
        self.used += amount


class RateLimits:
    """Counts what a client used of the current minute and the current ten seconds.

    Args:
        weight_per_minute: the request weight allowed per minute.
        orders_per_ten_seconds: the orders allowed per ten seconds.
        clock: seconds of a clock that never goes back.

    """

    def __init__(self, weight_per_minute: int, orders_per_ten_seconds: int, clock: Callable[[], float]) -> None:
        self._weight = _Window(_MINUTE, weight_per_minute)
        self._orders = _Window(_TEN_SECONDS, orders_per_ten_seconds)
        self._clock = clock

    def use(self, weight: int) -> None:
        """Count a request.

        Raises:
            Reject: -1003 with status 429 beyond the limit.

        """
        self._weight.add(self._clock(), weight)
        if self._weight.used > self._weight.limit:
            raise Reject(
                -1003,
                f"Too much request weight used; current limit is {self._weight.limit} request weight per 1 MINUTE. "
                "Please use WebSocket Streams for live updates to avoid polling the API.",
                429,
            )

    def use_order(self) -> None:
        """Count an order.

        Raises:
            Reject: -1015 with status 429 beyond the limit.

        """
        self._orders.add(self._clock(), 1)
        if self._orders.used > self._orders.limit:
            raise Reject(
                -1015, f"Too many new orders; current limit is {self._orders.limit} orders per 10 SECOND.", 429
            )

    def headers(self) -> dict[str, str]:
        """Return the usage headers of an answer."""
        self._weight.add(self._clock(), 0)
        self._orders.add(self._clock(), 0)
        return {
            "X-MBX-USED-WEIGHT-1M": str(self._weight.used),
            "X-MBX-ORDER-COUNT-10S": str(self._orders.used),
        }
