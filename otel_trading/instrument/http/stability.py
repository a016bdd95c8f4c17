"""Which names of the conventions for HTTP the instrumentations of opentelemetry-contrib use."""

from __future__ import annotations

import os
from typing import Any

from otel_trading.extras import require

_STABLE = ("OTEL_SEMCONV_STABILITY_OPT_IN", "http")


def choose_conventions() -> None:
    """Have contrib use the stable conventions for HTTP unless the environment says which.

    It reads the choice once, when the first instrumentation of any library starts, on whichever thread that is. Where
    that has happened, the choice is changed for what starts from now on.
    """
    semconv: Any = require("opentelemetry.instrumentation._semconv", extra="http")
    stability = semconv._OpenTelemetrySemanticConventionStability  # noqa: SLF001 - contrib has no other way
    name, value = _STABLE
    if name in os.environ:
        stability._initialize()  # noqa: SLF001 - what each of them calls
        return
    os.environ[name] = value
    try:
        stability._initialize()  # noqa: SLF001 - what each of them calls
    finally:
        os.environ.pop(name, None)
    chosen = getattr(stability, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", {})
    chosen[semconv._OpenTelemetryStabilitySignalType.HTTP] = semconv._StabilityMode.HTTP  # noqa: SLF001
