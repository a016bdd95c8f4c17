"""The native provider as the settings want it."""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

from otel_trading.flight.folder import prepared
from otel_trading.settings.plugins import configurator, id_generator, sampler
from otel_trading.tracing.native.limits import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk.resources import Resource

    from otel_trading.settings import Problem, Settings
    from otel_trading.tracing.native.provider import NativeTracerProvider

_BY_PARENT = "parentbased_always_on"
_LOST = "should the bot be killed, spans that were not delivered are lost"


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


def record(
    provider: NativeTracerProvider,
    settings: Settings,
    resource: Resource,
    problems: list[Problem | str],
    *,
    wanted: bool,
) -> Path | None:
    """Have a provider record into a file where that is wanted; the folder of recordings."""
    if not (wanted and settings.flight_enabled and provider.enabled):
        provider.record(None, size=settings.flight_size)
        return None
    try:
        folder = prepared(settings.flight_folder)
        instance = _bytes(str(resource.attributes.get("service.instance.id", "")))
        service = str(resource.attributes["service.name"])
        size, budget = settings.flight_size, settings.flight_budget
        provider.record(folder, size=size, service=service, instance=instance, budget=budget)
    except OSError as error:
        reason = error.strerror or str(error)
        problems.append(f"flight_folder: {error.filename or settings.flight_folder or 'the folder'}: {reason}; {_LOST}")
        provider.record(None, size=settings.flight_size)
        return None
    return folder


def _bytes(instance: str) -> bytes:
    try:
        return uuid.UUID(instance).bytes
    except ValueError:
        return bytes(16)
