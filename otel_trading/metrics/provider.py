"""The ``MeterProvider`` of the ``sdk`` engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics import MeterProvider

from otel_trading.metrics.pull import PullReader
from otel_trading.settings.plugins import configurator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.resources import Resource

    from otel_trading.metrics.push import PushReader
    from otel_trading.settings import Settings


def build_meter_provider(
    settings: Settings, resource: Resource, push: Sequence[PushReader]
) -> tuple[MeterProvider, PullReader | None]:
    """The provider with its readers, and the one that serves ``/metrics``.

    Readers go to the constructor: one that is added later is neither flushed nor shut down by the SDK.
    """
    on = settings.metrics_enabled and not settings.disabled
    pull = PullReader() if on and settings.ops_enabled else None
    provider = MeterProvider(
        metric_readers=[*push, *([pull] if pull else [])],
        resource=resource,
        shutdown_on_exit=False,
        _meter_configurator=configurator("meter", os.environ),
    )
    return provider, pull
