"""What things are called: attributes, instruments, events, and the values of FIX.

One table each; log lines, metrics, spans, dashboards, rules and the reference page take their names from here.
"""

from otel_trading.trading.conventions.attributes import ATTRIBUTES, KEYS, SHORT_KEYS
from otel_trading.trading.conventions.events import EVENTS, NAMES
from otel_trading.trading.conventions.instruments import INSTRUMENTS
from otel_trading.trading.conventions.model import Attribute, Instrument
from otel_trading.trading.conventions.registry import check, create, known, label_name, prometheus_name

SHORT_NAMES: dict[str, str] = {**SHORT_KEYS, **{event: method for method, event in NAMES.items()}}
"""What log lines call attributes and events."""

__all__ = [
    "ATTRIBUTES",
    "EVENTS",
    "INSTRUMENTS",
    "KEYS",
    "NAMES",
    "SHORT_KEYS",
    "Attribute",
    "Instrument",
    "check",
    "create",
    "known",
    "label_name",
    "prometheus_name",
]
