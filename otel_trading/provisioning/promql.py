"""Expressions of Prometheus over the instruments of the conventions.

What is a histogram arrives as a native one from the kit, over OTLP and scraped, and with explicit buckets from
others: expressions over histograms ask for both, and one of the two sides has an answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.trading.conventions import prometheus_name

if TYPE_CHECKING:
    from collections.abc import Iterable

RATE = "$__rate_interval"
"""The window of rates in panels; rules name their own."""


def _by(labels: Iterable[str], *more: str) -> str:
    names = [*labels, *more]
    return f"by ({', '.join(names)}) " if names else ""


def quantile(q: float, instrument: str, *, matchers: str = "", by: Iterable[str] = (), window: str = RATE) -> str:
    """A quantile of what an instrument's histogram measured within the window.

    >>> print(quantile(0.95, "trading.order.ack.duration", by=["job"], window="5m"))
    histogram_quantile(0.95, sum by (job) (rate(trading_order_ack_duration_seconds[5m]))) \
or histogram_quantile(0.95, sum by (job, le) (rate(trading_order_ack_duration_seconds_bucket[5m])))
    """
    name, labels, selected = prometheus_name(instrument), list(by), f"{{{matchers}}}" if matchers else ""
    native = f"histogram_quantile({q:g}, sum {_by(labels)}(rate({name}{selected}[{window}])))"
    classic = f"histogram_quantile({q:g}, sum {_by(labels, 'le')}(rate({name}_bucket{selected}[{window}])))"
    return f"{native} or {classic}"


def count(instrument: str, *, matchers: str = "", by: Iterable[str] = (), window: str = RATE) -> str:
    """Measurements a second.

    >>> print(count("trading.order.ack.duration", window="5m"))
    histogram_count(sum (rate(trading_order_ack_duration_seconds[5m]))) \
or sum (rate(trading_order_ack_duration_seconds_count[5m]))
    """
    name, selected = prometheus_name(instrument), f"{{{matchers}}}" if matchers else ""
    native = f"histogram_count(sum {_by(by)}(rate({name}{selected}[{window}])))"
    return f"{native} or sum {_by(by)}(rate({name}_count{selected}[{window}]))"
