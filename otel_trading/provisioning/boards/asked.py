"""Expressions over instruments, narrowed to what is chosen above a board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.provisioning import promql
from otel_trading.provisioning.model import Query
from otel_trading.trading.conventions import INSTRUMENTS, label_name, prometheus_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

VENUE, SYMBOL, STRATEGY = "trading.venue.name", "trading.instrument.symbol", "trading.strategy.name"
_CHOSEN = {VENUE: "$venue", SYMBOL: "$symbol", STRATEGY: "$strategy"}
_SELDOM = {"trading.stage.budget.violations"}
"""Instruments whose optional attributes are absent from most series, which a choice would hide."""

BOTS = 'job=~"$job", instance=~"$instance"'
"""What of all series belongs to the bots that are chosen."""


def chosen(instrument: str, **only: str) -> str:
    """The matchers of an instrument's series: the choices it has attributes for, and ``label="value"``.

    A value that begins with ``!`` is excluded, one with a ``|`` is a choice of several.

    >>> chosen("trading.trade.completions", trading_trade_outcome="success")
    'job=~"$job", instance=~"$instance", trading_venue_name=~"$venue", trading_strategy_name=~"$strategy", \
trading_trade_outcome="success"'
    """
    declared = INSTRUMENTS[instrument]
    has = {*declared.attributes, *(() if instrument in _SELDOM else declared.optional)}
    narrowed = [f'{label_name(name)}=~"{variable}"' for name, variable in _CHOSEN.items() if name in has]
    return ", ".join([BOTS, *narrowed, *(_matcher(*each) for each in only.items())])


def _matcher(label: str, wanted: str) -> str:
    negated, text = ("!", wanted[1:]) if wanted.startswith("!") else ("", wanted)
    operator = {"": "=", "!": "!="}[negated] if "|" not in text else {"": "=~", "!": "!~"}[negated]
    return f'{label}{operator}"{text}"'


def series(instrument: str, **only: str) -> str:
    """The series of an instrument as they are."""
    return f"{prometheus_name(instrument)}{{{chosen(instrument, **only)}}}"


def rate(instrument: str, *by: str, **only: str) -> str:
    """See ``promql.rate``."""
    return promql.rate(instrument, matchers=chosen(instrument, **only), by=_labels(by))


def happened(instrument: str, *by: str, **only: str) -> str:
    """See ``promql.happened``; within the time that is shown."""
    return promql.happened(instrument, matchers=chosen(instrument, **only), by=_labels(by))


def per_minute(instrument: str, *by: str, **only: str) -> str:
    """See ``promql.happened``; a minute."""
    matchers, window = chosen(instrument, **only), promql.RATE
    times = promql.happened(instrument, matchers=matchers, by=_labels(by), window=window)
    return f"60000 / {window}_ms * {times}"


def total(instrument: str, *by: str, fold: str = "sum", **only: str) -> str:
    """See ``promql.value``."""
    return promql.value(instrument, matchers=chosen(instrument, **only), by=_labels(by), fold=fold)


def highest(instrument: str, *by: str, **only: str) -> str:
    """The highest of an instrument's values."""
    return total(instrument, *by, fold="max", **only)


def quantile(q: float, instrument: str, *by: str, **only: str) -> str:
    """See ``promql.quantile``."""
    return promql.quantile(q, instrument, matchers=chosen(instrument, **only), by=_labels(by))


def count(instrument: str, *by: str, **only: str) -> str:
    """See ``promql.count``."""
    return promql.count(instrument, matchers=chosen(instrument, **only), by=_labels(by))


def mean(instrument: str, *by: str, **only: str) -> str:
    """See ``promql.mean``."""
    return promql.mean(instrument, matchers=chosen(instrument, **only), by=_labels(by))


def heat(instrument: str, **only: str) -> str:
    """See ``promql.heat``."""
    return promql.heat(instrument, matchers=chosen(instrument, **only))


def state(instrument: str, attribute: str, states: Sequence[str], *by: str) -> str:
    """See ``promql.state``."""
    return promql.state(instrument, label_name(attribute), states, matchers=chosen(instrument), by=_labels(by))


def percentiles(instrument: str, *by: str, quantiles: Iterable[float] = (0.5, 0.95, 0.99), **only: str) -> list[Query]:
    """Quantiles of an instrument, one of them with exemplars.

    >>> [(query.legend, query.exemplars) for query in percentiles("trading.order.ack.duration", "trading.venue.name")]
    [('p50 {{trading_venue_name}}', False), ('p95 {{trading_venue_name}}', False), ('p99 {{trading_venue_name}}', True)]
    """
    wanted = list(quantiles)
    return [
        Query(quantile(q, instrument, *by, **only), f"p{100 * q:g} {legend(*by)}".strip(), exemplars=q == wanted[-1])
        for q in wanted
    ]


def query(ask: Callable[..., str], instrument: str, *by: str, **only: str) -> Query:
    """An expression whose series are called by what they are split by."""
    return Query(ask(instrument, *by, **only), legend(*by))


def legend(*by: str) -> str:
    """How series are called that are split by these attributes.

    >>> legend("trading.venue.name", "trading.order.side")
    '{{trading_venue_name}} {{trading_order_side}}'
    """
    return " ".join(f"{{{{{label}}}}}" for label in _labels(by))


def _labels(by: Iterable[str]) -> list[str]:
    return [label_name(name) for name in by]
