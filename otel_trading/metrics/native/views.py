"""The SDK's views: renamed, described, filtered, aggregated or dropped as the SDK would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics.view import DefaultAggregation

from otel_trading.metrics.native.aggregation import DEFAULT, Aggregation
from otel_trading.metrics.native.rules import Stream
from otel_trading.metrics.native.sdk_names import described, require, stand_in
from otel_trading.settings import report

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.view import View

    from otel_trading.metrics.native.identity import Identity

_NAMES = ("_match", "_name", "_description", "_attribute_keys", "_aggregation")


class SdkView:
    """A view of the SDK. Its exemplar reservoirs are not used: the core keeps its own."""

    def __init__(self, view: View) -> None:
        require(view, *_NAMES)
        self._view = view

    def stream(self, instrument: Identity) -> Stream | None:
        """See ``rules.View``; a histogram of what callbacks observe is reported and not applied, as in the SDK."""
        view, asked = self._view, stand_in(instrument)
        if not view._match(asked):  # noqa: SLF001
            return None
        aggregation = self._aggregation(instrument)
        if instrument.observable and aggregation.cell == "histogram":
            report(f"a view makes histograms of the observable {instrument.name!r}; it is not applied")
            return None
        keys = view._attribute_keys  # noqa: SLF001
        return Stream(
            view._name or instrument.name,  # noqa: SLF001
            view._description or instrument.description,  # noqa: SLF001
            None if keys is None else frozenset(keys),
            aggregation,
        )

    def _aggregation(self, instrument: Identity) -> Aggregation:
        chosen = self._view._aggregation  # noqa: SLF001
        if isinstance(chosen, DefaultAggregation):
            return DEFAULT
        try:
            return described(chosen, stand_in(instrument))
        except Exception as error:
            report(f"a view of {instrument.name!r} has an unusable aggregation, the default holds: {error}")
            return DEFAULT
