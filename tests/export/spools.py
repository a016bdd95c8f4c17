"""What tests ask of spools."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading._native import Parcel, Spool

SECOND = 1_000_000_000


def drain(spool: Spool) -> list[Parcel]:
    """All that wait, settled."""
    found = []
    for kind in ("traces", "metrics", "logs"):
        while (parcel := spool.next(kind)) is not None:
            assert spool.settle(parcel.number)
            found.append(parcel)
    return found


def totals(spool: Spool) -> dict[str, int]:
    """Items that are there, and dropped by reason."""
    stats = spool.stats()
    found = {"there": sum(depth["items"] for depth in stats["depths"].values())}
    for (_, _, reason), items in stats["dropped"].items():
        found[reason] = found.get(reason, 0) + items
    return found


def later() -> int:
    """A time at which a disk that failed is asked again."""
    return time.time_ns() + 2 * SECOND
