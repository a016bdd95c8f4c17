"""Expressions that only rules need: what happened at all, and how much of what was tried went wrong.

A counter's series begins when something first happens, with 1: ``increase()`` has nothing to compare that with and says
0. What matters from the first time on is therefore asked for in two ways: a series that is new counts as a whole.
"""

from __future__ import annotations

from otel_trading.provisioning import promql
from otel_trading.provisioning.promql import matching
from otel_trading.trading.conventions import prometheus_name

BOT = "job, instance"
"""The labels of one run of a bot."""

VENUE = "job, instance, trading_venue_name"
"""The labels of a venue as one run of a bot sees it."""


def happened(instrument: str, by: str, *, window: str = "10m", matchers: str = "") -> str:
    """How often something happened within the window, the first time counted.

    >>> print(happened("trading.halts", "job", window="5m"))
    sum by (job) ((trading_halts_total unless trading_halts_total offset 5m) or increase(trading_halts_total[5m]))
    """
    return promql.happened(instrument, matchers=matchers, by=[by], window=window, lasting=False)


def measured(instrument: str, by: str, *, window: str = "10m", matchers: str = "") -> str:
    """How many measurements a histogram got within the window, the first one counted."""
    name = prometheus_name(instrument)
    native, classic = f"{name}{matching(matchers)}", f"{name}_count{matching(matchers)}"
    return (
        f"sum by ({by}) ("
        f"histogram_count({native} unless {native} offset {window}) or histogram_count(increase({native}[{window}])) "
        f"or ({classic} unless {classic} offset {window}) or increase({classic}[{window}]))"
    )


def rate(instrument: str, by: str, *, window: str = "5m", matchers: str = "") -> str:
    """Measurements of a histogram a second.

    >>> print(rate("trading.order.ack.duration", "job"))
    sum by (job) (histogram_count(rate(trading_order_ack_duration_seconds[5m])) \
or rate(trading_order_ack_duration_seconds_count[5m]))
    """
    name = prometheus_name(instrument)
    native, classic = f"{name}{matching(matchers)}", f"{name}_count{matching(matchers)}"
    return f"sum by ({by}) (histogram_count(rate({native}[{window}])) or rate({classic}[{window}]))"


def within(instrument: str, bound: float, by: str, *, window: str = "5m", matchers: str = "") -> str:
    """Measurements a second that were not above a boundary of the instrument's explicit buckets.

    >>> print(within("trading.order.ack.duration", 1, "job"))
    sum by (job) (histogram_fraction(0, 1, rate(trading_order_ack_duration_seconds[5m])) \
* histogram_count(rate(trading_order_ack_duration_seconds[5m])) \
or rate(trading_order_ack_duration_seconds_bucket{le=~"1(.0)?"}[5m]))

    Raises:
        ValueError: the boundary is none of the instrument's, so that explicit buckets could not tell.

    """
    from otel_trading.trading.conventions import INSTRUMENTS

    bounds = INSTRUMENTS[instrument].bounds
    if bound not in bounds:
        allowed = ", ".join(f"{each:g}" for each in bounds)
        raise ValueError(f"within({instrument!r}): bound={bound!r} is not allowed; allowed is one of {allowed}")
    name = prometheus_name(instrument)
    native = f"{name}{matching(matchers)}"
    whole = f"{bound:g}(.0)?" if float(bound).is_integer() else f"{bound:g}"
    classic = name + "_bucket" + matching(matchers, f'le=~"{whole}"')
    part = f"histogram_fraction(0, {bound:g}, rate({native}[{window}])) * histogram_count(rate({native}[{window}]))"
    return f"sum by ({by}) ({part} or rate({classic}[{window}]))"
