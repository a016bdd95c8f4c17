"""The ``MeterProvider`` of the ``sdk`` engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    MeterProvider,
    TraceBasedExemplarFilter,
)

from otel_trading.settings.plugins import configurator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.metrics import ExemplarFilter
    from opentelemetry.sdk.resources import Resource

    from otel_trading.metrics.pull import PullReader
    from otel_trading.metrics.push import PushReader
    from otel_trading.settings import Settings

_EXEMPLARS: dict[str, Callable[[], ExemplarFilter]] = {
    "trace_based": TraceBasedExemplarFilter,
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
}


def build_meter_provider(
    settings: Settings, resource: Resource, push: Sequence[PushReader], pull: PullReader | None
) -> MeterProvider:
    """The provider with its readers; ``pull`` is the one that serves ``/metrics``.

    Readers go to the constructor: one that is added later is neither flushed nor shut down by the SDK.
    """
    return MeterProvider(
        metric_readers=[*push, *([pull] if pull else [])],
        resource=resource,
        shutdown_on_exit=False,
        exemplar_filter=_EXEMPLARS[settings.exemplar_filter](),
        _meter_configurator=configurator("meter", os.environ),
    )
