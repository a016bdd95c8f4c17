"""For strategies that bring their telemetry along."""

from __future__ import annotations

from typing import Any


class TelemetryMixin:
    """Starts the instrumentation with the strategy: ``class MyStrategy(TelemetryMixin, IStrategy)``.

    For bots that are started without ``opentelemetry-instrument`` and whose strategy does not call ``configure()``
    with ``instrument``. Where freqtrade is instrumented already, nothing is added, and nothing counted twice.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as the strategy's
        super().__init__(*args, **kwargs)
        from otel_trading.instrument.freqtrade import FreqtradeInstrumentor

        instrumentor = FreqtradeInstrumentor()
        if not instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.instrument()
