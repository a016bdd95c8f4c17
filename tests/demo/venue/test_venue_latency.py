"""Latencies are drawn, seeded and bounded; usage counts start over with each interval; examples are true."""

from __future__ import annotations

import doctest
import random
import statistics
from typing import TYPE_CHECKING

import pytest

from otel_trading.demo.venue import feed, signing
from otel_trading.demo.venue.latency import Latency
from otel_trading.demo.venue.limits import RateLimits
from otel_trading.demo.venue.orders import Reject

if TYPE_CHECKING:
    from types import ModuleType


def draws(seed: int) -> list[float]:
    rng = random.Random(seed)  # noqa: S311 - a test repeats itself
    return [Latency(0.008).draw(rng) for _ in range(5000)]


def test_latencies_lie_around_their_median_with_a_tail() -> None:
    """Half of them below 8 ms, one in a hundred beyond twice that, none beyond the longest."""
    times = sorted(draws(1))
    assert statistics.median(times) == pytest.approx(0.008, rel=0.05)
    assert times[4950] > 0.016
    assert times[-1] <= Latency(0.008).longest


def test_latencies_repeat_with_their_seed() -> None:
    """The same draws from the same seed."""
    assert draws(2) == draws(2)
    assert draws(2) != draws(3)


def test_usage_starts_over_with_each_interval() -> None:
    """The headers tell the current minute and ten seconds only, and the limit holds within them."""
    now = 0.0
    limits = RateLimits(100, 2, lambda: now)
    limits.use(100)
    limits.use_order()
    limits.use_order()
    assert limits.headers() == {"X-MBX-USED-WEIGHT-1M": "100", "X-MBX-ORDER-COUNT-10S": "2"}
    with pytest.raises(Reject, match="-1003") as weight:
        limits.use(1)
    with pytest.raises(Reject, match="-1015") as orders:
        limits.use_order()
    assert weight.value.status == orders.value.status == 429
    now = 10.0
    limits.use_order()
    assert limits.headers()["X-MBX-ORDER-COUNT-10S"] == "1"
    now = 60.0
    limits.use(1)
    assert limits.headers()["X-MBX-USED-WEIGHT-1M"] == "1"


@pytest.mark.parametrize("module", [feed, signing])
def test_examples_are_true(module: ModuleType) -> None:
    """What the documentation shows is what happens."""
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
