"""How often each address may ask."""

from __future__ import annotations

import ipaddress
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

_MOST_ADDRESSES = 4_096


class Allowance:
    """So many at once and so many a second for each of those who ask; the longest silent are forgotten.

    >>> now = 0.0
    >>> allowance = Allowance(1, burst=2, clock=lambda: now)
    >>> [allowance.wait("a") for _ in range(3)], allowance.wait("b")
    ([0.0, 0.0, 1.0], 0.0)
    >>> now = 1.0
    >>> allowance.wait("a")
    0.0
    """

    def __init__(self, a_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._a_second = a_second
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def wait(self, who: Hashable) -> float:
        """Take one; 0.0, or the seconds until there is one."""
        left, now = self._look(who)
        self._left[who] = (max(0.0, left - 1) if left >= 1 else left, now)
        self._left.move_to_end(who)
        if len(self._left) > _MOST_ADDRESSES:
            self._left.popitem(last=False)
        return self._seconds(left)

    def waiting(self, who: Hashable) -> float:
        """The seconds until there is one; none is taken."""
        return self._seconds(self._look(who)[0])

    def _look(self, who: Hashable) -> tuple[float, float]:
        now = self._clock()
        left, then = self._left.get(who, (self._burst, now))
        return min(self._burst, left + (now - then) * self._a_second), now

    def _seconds(self, left: float) -> float:
        return 0.0 if left >= 1 else (1 - left) / self._a_second


class Limits:
    """What the addresses have left; what is asked for by strangers takes nothing from those who are known."""

    def __init__(self, a_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._requests = Allowance(a_second, 2 * a_second, clock) if a_second else None
        self._failures = Allowance(1 / 6, 10, clock)

    def request(self, address: str, kind: str) -> float:
        """Take one request of a kind; the seconds to wait when there are too many."""
        return self._requests.wait((address, kind)) if self._requests is not None else 0.0

    def failure(self, address: str) -> None:
        """Somebody had a wrong token."""
        self._failures.wait(address)

    def barred(self, address: str) -> float:
        """For how many seconds no token is looked at, as too many were wrong."""
        return self._failures.waiting(address)


def party(address: object) -> str:
    """Who is behind a peer's address: of IPv6 it is a network of 64 bits, as one host has that many addresses.

    >>> party(("192.0.2.7", 4711)), party(("2001:db8::1:2:3", 4711, 0, 0)), party("")
    ('192.0.2.7', '2001:db8::/64', '?')
    """
    host = str(address[0]) if isinstance(address, tuple) and address else ""
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return "?"
    if parsed.version == 4 or parsed.is_loopback:  # noqa: PLR2004 - of the protocol
        return host
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))
