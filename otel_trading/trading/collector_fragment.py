"""The aliases for those who want them made by the OpenTelemetry Collector, outside the bot."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from otel_trading.trading.alias_table import ALIASES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from otel_trading.trading.aliases import Alias

PROCESSORS = ("transform/alias_copies", "filter/alias_points", "transform/alias_values")
"""The processors of the fragment in the order a pipeline of metrics needs them."""


def collector_fragment(aliases: Iterable[Alias] = ALIASES) -> dict[str, Any]:
    """The ``processors`` section of a Collector's configuration that makes the aliases.

    They stand in a pipeline in the order of ``PROCESSORS``. Not in it are the aliases that the Collector cannot make:
    quantiles, means and counts of histograms, rates, ratios, and states as numbers. Buckets come from exponential
    histograms, which is how the kit sends them; the Collector puts a bucket around a bound below or above it by its
    middle.

    >>> arb = [alias for alias in ALIASES if alias.name == "arb_trades_failed_total"]
    >>> collector_fragment(arb)["filter/alias_points"]["metrics"]["datapoint"][0][:44]
    'metric.name == "arb_trades_failed_total" and'
    """
    made = [alias for alias in aliases if can_be_made(alias)]
    copies, filters, values = PROCESSORS
    return {
        copies: _transform("metric", (_copy(alias) for alias in made)),
        filters: {"error_mode": "ignore", "metrics": {"datapoint": [_filter(alias) for alias in made if alias.where]}},
        values: {
            "error_mode": "ignore",
            "metric_statements": [statements for alias in made for statements in _values(alias)],
        },
    }


def can_be_made(alias: Alias) -> bool:
    """Whether the Collector has functions for it."""
    return not alias.coded and alias.scale > 0 and alias.statistic in {"sum", "max"}


def _transform(context: str, statements: Iterable[str]) -> dict[str, Any]:
    return {"error_mode": "ignore", "metric_statements": [{"context": context, "statements": list(statements)}]}


def _copy(alias: Alias) -> str:
    return f"copy_metric(name={_text(alias.name)}) where metric.name == {_text(alias.instrument)}"


def _filter(alias: Alias) -> str:
    """What leaves out the points that the alias is not about."""
    wanted = [
        "(" + " or ".join(f"attributes[{_text(key)}] == {_text(value)}" for value in values) + ")"
        for key, values in alias.where
    ]
    return f"metric.name == {_text(alias.name)} and not ({' and '.join(wanted)})"


def _values(alias: Alias) -> Iterator[dict[str, Any]]:
    kept = json.dumps([attribute for _, attribute in alias.labels])
    yield _statements(alias, "metric", [f"aggregate_on_attributes({_text(alias.statistic)}, {kept})"])
    if alias.kind == "histogram":
        yield from _rebinned(alias)
    elif alias.kind == "gauge":
        yield _statements(alias, "metric", ["convert_sum_to_gauge() where metric.type == METRIC_DATA_TYPE_SUM"])
    scaled = [f"scale_metric({_number(alias.scale)})"] if alias.scale != 1 else []
    texts = [f"set(metric.description, {_text(alias.description)})", 'set(metric.unit, "")']
    yield _statements(alias, "metric", [*scaled, *texts])
    if alias.labels:
        renamed = [statement for label, attribute in alias.labels for statement in _renamed(label, attribute)]
        yield _statements(alias, "datapoint", renamed)


def _statements(alias: Alias, context: str, statements: list[str]) -> dict[str, Any]:
    return {"context": context, "conditions": [f"metric.name == {_text(alias.name)}"], "statements": statements}


def _rebinned(alias: Alias) -> Iterator[dict[str, Any]]:
    """To the alias' buckets.

    The Collector's function (0.155) counts at the greatest bound that is not above, and has as many counts as bounds:
    with one more bound below all others these are the counts that belong between the others.
    """
    bounds = [_number(bound / alias.scale) for bound in alias.bounds]
    every = f"[{', '.join(['0.0', *bounds])}]"
    kind = "metric.type == METRIC_DATA_TYPE_EXPONENTIAL_HISTOGRAM"
    convert = f'convert_exponential_histogram_to_histogram("midpoint", {every}) where {kind}'
    yield _statements(alias, "metric", [convert])
    yield _statements(alias, "datapoint", [f"set(explicit_bounds, [{', '.join(bounds)}])"])


def _renamed(label: str, attribute: str) -> Iterator[str]:
    yield f"set(attributes[{_text(label)}], attributes[{_text(attribute)}]) where attributes[{_text(attribute)}] != nil"
    yield f"delete_key(attributes, {_text(attribute)})"


def _number(value: float) -> str:
    """A number as the Collector's language knows it: positive, and without an exponent."""
    return f"{value:.15f}".rstrip("0") + "0"


def _text(value: object) -> str:
    return json.dumps(value)
