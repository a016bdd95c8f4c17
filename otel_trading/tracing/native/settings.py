"""The native provider as the settings want it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from otel_trading.settings.plugins import configurator, id_generator, sampler
from otel_trading.tracing.native.limits import Limits

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from otel_trading.settings import Settings
    from otel_trading.tracing.native.provider import NativeTracerProvider

_BY_PARENT = "parentbased_always_on"


def adjust(provider: NativeTracerProvider, settings: Settings, resource: Resource) -> None:
    """Have a provider work with these settings from now on."""
    provider.set_resource(resource)
    provider.set_limits(Limits.of_environment())
    provider.set_id_generator(id_generator(os.environ))
    provider.set_configurator(configurator("tracer", os.environ))
    by_parent = settings.traces_sampler.strip().lower() == _BY_PARENT
    provider.set_sampler(None if by_parent else sampler(settings.traces_sampler, settings.traces_sampler_arg))
    provider.set_retention(
        settings.traces_retention,
        spans_per_second=settings.traces_budget,
        slow_percentile=settings.traces_slow_percentile,
        slippage_bps=settings.traces_slippage_bps,
        max_age=settings.traces_max_age,
    )
    provider.enabled = settings.traces_enabled and not settings.disabled
