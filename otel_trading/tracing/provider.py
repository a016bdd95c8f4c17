"""The ``TracerProvider`` of the ``sdk`` engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider, sampling

from otel_trading.settings.plugins import configurator, id_generator, sampler
from otel_trading.tracing.processor import QueueSpanProcessor
from otel_trading.tracing.redacting import RedactingSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource

    from otel_trading.export.queue import BatchQueue
    from otel_trading.settings import Settings


def build_tracer_provider(
    settings: Settings,
    resource: Resource,
    queues: Sequence[BatchQueue[ReadableSpan]],
    meter_provider: MeterProvider,
) -> TracerProvider:
    """The SDK's provider with one processor a queue; with traces off, spans propagate and record nothing."""
    on = settings.traces_enabled and not settings.disabled
    provider = TracerProvider(
        sampler=sampler(settings.traces_sampler, settings.traces_sampler_arg) if on else sampling.ALWAYS_OFF,
        resource=resource,
        shutdown_on_exit=False,
        id_generator=id_generator(os.environ),
        meter_provider=meter_provider,
        _tracer_configurator=configurator("tracer", os.environ),
    )
    provider.add_span_processor(RedactingSpanProcessor())
    for queue in queues:
        provider.add_span_processor(QueueSpanProcessor(queue))
    return provider
