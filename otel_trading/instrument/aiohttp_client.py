"""aiohttp's client: the instrumentation of opentelemetry-contrib under rules fit for trading venues.

Durations in seconds (stable conventions), no trace headers to venues, and no query string in a URL: that is where
API keys and signatures travel. Needs ``pip install 'otel-trading[aiohttp]'``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from otel_trading.extras import require

if TYPE_CHECKING:
    from collections.abc import Callable

    import yarl

_STABLE_CONVENTIONS = ("OTEL_SEMCONV_STABILITY_OPT_IN", "http")


def instrument(**providers: object) -> Callable[[], None]:
    """Instrument every client session created from now on; call the result to take it back."""
    module: Any = require("opentelemetry.instrumentation.aiohttp_client", extra="aiohttp")
    instrumentor = module.AioHttpClientInstrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        return lambda: None
    instrumentor.instrument(url_filter=without_secrets, **providers)
    contrib_inject = module.inject
    module.inject = _keep_trace_at_home

    def uninstrument() -> None:
        module.inject = contrib_inject
        instrumentor.uninstrument()

    return uninstrument


def without_secrets(url: yarl.URL) -> str:
    """A URL without user, query and fragment.

    >>> import yarl
    >>> without_secrets(yarl.URL("https://me:pw@venue.example/api/v3/order?symbol=BTCUSDT&signature=abc"))
    'https://venue.example/api/v3/order'
    """
    return str(url.with_user(None).with_query(None).with_fragment(None))


def _keep_trace_at_home(_headers: object) -> None:
    """Stand in for contrib's header injection, which no hook of its own can prevent."""


def choose_conventions() -> None:
    """Have contrib use the stable conventions unless the environment says which.

    It reads the choice once, when the first instrumentation of any library starts, on whichever thread that is.
    """
    semconv: Any = require("opentelemetry.instrumentation._semconv", extra="aiohttp")
    name, value = _STABLE_CONVENTIONS
    chosen = name in os.environ
    os.environ.setdefault(name, value)
    try:
        semconv._OpenTelemetrySemanticConventionStability._initialize()  # noqa: SLF001 - what each of them calls
    finally:
        if not chosen:
            os.environ.pop(name, None)
