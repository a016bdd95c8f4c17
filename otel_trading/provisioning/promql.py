"""Expressions of Prometheus over the instruments of the conventions.

What is a histogram arrives as a native one from the kit, over OTLP and scraped, and with explicit buckets from
others: expressions over histograms ask for both, and one of the two sides has an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.trading.conventions import prometheus_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RATE = "$__rate_interval"
"""The window of rates in panels; rules name their own."""


def quantile(q: float, instrument: str, *, matchers: str = "", by: Iterable[str] = (), window: str = RATE) -> str:
    """A quantile of what an instrument's histogram measured within the window.

    >>> print(quantile(0.95, "trading.order.ack.duration", by=["job"], window="5m"))
    histogram_quantile(0.95, sum by (job) (rate(trading_order_ack_duration_seconds[5m]))) \
or histogram_quantile(0.95, sum by (job, le) (rate(trading_order_ack_duration_seconds_bucket[5m])))
    """
    name, labels = prometheus_name(instrument), list(by)
    native = f"histogram_quantile({q:g}, sum {_by(labels)}(rate({name}{matching(matchers)}[{window}])))"
    classic = f"histogram_quantile({q:g}, sum {_by(labels, 'le')}(rate({name}_bucket{matching(matchers)}[{window}])))"
    return f"{native} or {classic}"


def count(instrument: str, *, matchers: str = "", by: Iterable[str] = (), window: str = RATE) -> str:
    """Measurements a second.

    >>> print(count("trading.order.ack.duration", window="5m"))
    histogram_count(sum (rate(trading_order_ack_duration_seconds[5m]))) \
or sum (rate(trading_order_ack_duration_seconds_count[5m]))
    """
    return _of_all("count", instrument, matchers, by, window)


def total(instrument: str, *, matchers: str = "", by: Iterable[str] = (), window: str = RATE) -> str:
    """The sum of what was measured, a second: of durations, how many of them went on at once.

    >>> print(total("trading.order.ack.duration", window="5m"))
    histogram_sum(sum (rate(trading_order_ack_duration_seconds[5m]))) \
or sum (rate(trading_order_ack_duration_seconds_sum[5m]))
    """
    return _of_all("sum", instrument, matchers, by, window)


def mean(instrument: str, *, matchers: str = "", by: Iterable[str] = (), window: str = RATE) -> str:
    """The mean of what was measured within the window.

    >>> print(mean("trading.execution.slippage.bps", window="5m"))
    (histogram_sum(sum (rate(trading_execution_slippage_bps[5m]))) \
or sum (rate(trading_execution_slippage_bps_sum[5m]))) \
/ (histogram_count(sum (rate(trading_execution_slippage_bps[5m]))) \
or sum (rate(trading_execution_slippage_bps_count[5m])))
    """
    labels = list(by)
    above = total(instrument, matchers=matchers, by=labels, window=window)
    return f"({above}) / ({count(instrument, matchers=matchers, by=labels, window=window)})"


def heat(instrument: str, *, matchers: str = "", window: str = RATE) -> str:
    """All buckets of an instrument's histogram, for heatmaps.

    >>> print(heat("trading.order.ack.duration", window="5m"))
    sum(rate(trading_order_ack_duration_seconds[5m])) \
or sum by (le) (rate(trading_order_ack_duration_seconds_bucket[5m]))
    """
    name = prometheus_name(instrument)
    classic = f"sum by (le) (rate({name}_bucket{matching(matchers)}[{window}]))"
    return f"sum(rate({name}{matching(matchers)}[{window}])) or {classic}"


def rate(instrument: str, *, matchers: str = "", by: Iterable[str] = (), window: str = RATE) -> str:
    """By how much a counter grows, a second.

    >>> print(rate("trading.order.submissions", by=["job"], window="5m"))
    sum by (job) (rate(trading_order_submissions_total[5m]))
    """
    return f"sum {_by(by)}(rate({prometheus_name(instrument)}{matching(matchers)}[{window}]))"


def happened(
    instrument: str, *, matchers: str = "", by: Iterable[str] = (), window: str = "$__range", lasting: bool = True
) -> str:
    """How often something happened within the window, by default the time that is shown; the first time, too.

    A counter that nothing was counted on is not there, and begins with one: ``increase`` misses what a series has when
    it appears, which is all there is of what happens once. What is ``lasting`` counts also when its series has ended
    since.

    >>> print(happened("trading.halts", window="1h"))
    sum ((last_over_time(trading_halts_total[1h]) unless trading_halts_total offset 1h) \
or increase(trading_halts_total[1h]))
    """
    series = f"{prometheus_name(instrument)}{matching(matchers)}"
    last = f"last_over_time({series}[{window}])" if lasting else series
    new = f"({last} unless {series} offset {window})"
    return f"sum {_by(by)}({new} or increase({series}[{window}]))"


def value(instrument: str, *, matchers: str = "", by: Iterable[str] = (), fold: str = "sum") -> str:
    """What a gauge or an up-down counter says now, put together by ``sum``, ``max``, ``min`` or ``avg``.

    >>> print(value("trading.position.active", by=["trading_venue_name"]))
    sum by (trading_venue_name) (trading_position_active)
    """
    return f"{fold} {_by(by)}({prometheus_name(instrument)}{matching(matchers)})"


def state(instrument: str, label: str, states: Sequence[str], *, matchers: str = "", by: Iterable[str] = ()) -> str:
    """Which state holds, as its place in ``states``; of several the last.

    >>> print(state("trading.state", "trading_state_value", ["active", "halted"]))
    max ((trading_state{trading_state_value="active"} == 1) * 0 or (trading_state{trading_state_value="halted"} == 1))
    """
    name = prometheus_name(instrument)
    matched = [matching(matchers, f'{label}="{each}"') for each in states]
    held = [f"({name}{each} == 1)" for each in matched]
    numbered = [each if place == 1 else f"{each} * {place}" for place, each in enumerate(held)]
    return f"max {_by(by)}({' or '.join(numbered)})"


def _of_all(part: str, instrument: str, matchers: str, by: Iterable[str], window: str) -> str:
    """A part of all histograms together: their ``count``, their ``sum``."""
    name, labels, selected = prometheus_name(instrument), list(by), matching(matchers)
    native = f"histogram_{part}(sum {_by(labels)}(rate({name}{selected}[{window}])))"
    return f"{native} or sum {_by(labels)}(rate({name}_{part}{selected}[{window}]))"


def _by(labels: Iterable[str], *more: str) -> str:
    names = [*labels, *more]
    return f"by ({', '.join(names)}) " if names else ""


def matching(*matchers: str) -> str:
    """What selects series, in braces; nothing where nothing is asked of them.

    >>> matching('job="bot"', "", 'le="1"'), matching("")
    ('{job="bot", le="1"}', '')
    """
    given = ", ".join(each for each in matchers if each)
    return f"{{{given}}}" if given else ""
