"""HTTP clients: the instrumentations of opentelemetry-contrib under rules fit for trading venues.

Durations in seconds and the stable conventions, failed requests measured like others, no trace headers to venues, and
neither queries nor keys in URLs. Each needs contrib's package: ``pip install 'otel-trading[http]'``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_trading.instrument.http.libraries import (
        AiohttpClientInstrumentor,
        HttpxInstrumentor,
        RequestsInstrumentor,
        Urllib3Instrumentor,
    )

__all__ = ["AiohttpClientInstrumentor", "HttpxInstrumentor", "RequestsInstrumentor", "Urllib3Instrumentor"]


def __getattr__(name: str) -> object:
    """Import only what is asked for."""
    from importlib import import_module

    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.libraries"), name)
