"""The ``MeterProvider`` of the ``sdk`` engine."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

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


def begin_at_zero(provider: MeterProvider) -> None:
    """Forget, in a forked child, what the parent measured and what its threads had locked, which the SDK keeps."""
    consumer: Any = provider._measurement_consumer  # noqa: SLF001 - there is no public way
    consumer._lock = threading.Lock()  # noqa: SLF001
    for reader, storage in consumer._reader_storages.items():  # noqa: SLF001
        reader._lock, storage._lock = threading.RLock(), threading.RLock()  # noqa: SLF001
        storage._instrument_view_instrument_matches.clear()  # noqa: SLF001
    for meter in provider._meters.values():  # noqa: SLF001
        meter._instrument_registration_lock = threading.Lock()  # noqa: SLF001
