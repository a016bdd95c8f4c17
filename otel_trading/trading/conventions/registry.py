"""Looking names up: what is known, what it is called elsewhere, and what was probably meant."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from otel_trading.trading.conventions.attributes import ATTRIBUTES
from otel_trading.trading.conventions.events import EVENTS
from otel_trading.trading.conventions.instruments import INSTRUMENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from otel_trading.trading.conventions.model import Instrument

_UNITS = {"s": "seconds", "ms": "milliseconds", "By": "bytes", "%": "percent"}
_SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "signed_histogram": ("_bucket", "_count", "_sum")}


def prometheus_name(instrument: Instrument | str) -> str:
    """The name in Prometheus, which is the same on the kit's page and after the way through OTLP.

    >>> prometheus_name("trading.order.ack.duration"), prometheus_name("trading.venue.io")
    ('trading_order_ack_duration_seconds', 'trading_venue_io_bytes_total')
    """
    declared = INSTRUMENTS[instrument] if isinstance(instrument, str) else instrument
    name, unit = label_name(declared.name), _UNITS.get(declared.unit, "")
    if declared.unit == "1" and declared.kind == "gauge":
        unit = "ratio"
    if unit and not name.endswith(f"_{unit}"):
        name = f"{name}_{unit}"
    return f"{name}_total" if declared.kind == "counter" else name


def label_name(attribute: str) -> str:
    """The label in Prometheus of an attribute.

    >>> label_name("trading.venue.name")
    'trading_venue_name'
    """
    return re.sub(r"[^a-zA-Z0-9]+", "_", attribute)


def known(name: str) -> bool:
    """Whether a name is an instrument's, an attribute's or an event's, or what Prometheus calls one of them.

    >>> known("trading.order.side"), known("trading_order_side"), known("trading.order.sides")
    (True, True, False)
    """
    return name in _KNOWN


def check(names: Iterable[str]) -> list[str]:
    """What of these names is unknown, each with the nearest known name.

    >>> check(["trading.order.side", "trading.order.sides"])
    ['trading.order.sides: unknown; the nearest is trading.order.side']
    """
    return [f"{name}: unknown{_nearest(name)}" for name in dict.fromkeys(names) if not known(name)]


def create(meter: Any, name: str, callbacks: Sequence[Callable[..., Any]] = ()) -> Any:  # noqa: ANN401 - any engine's
    """The instrument of this name, made on a meter as it is declared; with callbacks it is an observable one.

    >>> from opentelemetry.metrics import NoOpMeter
    >>> create(NoOpMeter("bot"), "trading.order.submissions").add(1)
    """
    declared = INSTRUMENTS[name]
    if callbacks:
        make = getattr(meter, f"create_observable_{declared.kind}")
        return make(name, callbacks, declared.unit, declared.description)
    if "histogram" not in declared.kind:
        return getattr(meter, f"create_{declared.kind}")(name, declared.unit, declared.description)
    make = getattr(meter, f"create_{declared.kind}", meter.create_histogram)
    bounds = declared.bounds or None
    return make(name, declared.unit, declared.description, explicit_bucket_boundaries_advisory=bounds)


def _all() -> frozenset[str]:
    names = {*ATTRIBUTES, *EVENTS, *INSTRUMENTS, *map(label_name, ATTRIBUTES)}
    for instrument in INSTRUMENTS.values():
        name = prometheus_name(instrument)
        names |= {name, *(f"{name}{suffix}" for suffix in _SUFFIXES.get(instrument.kind, ()))}
    return frozenset(names)


_KNOWN = _all()


def _nearest(name: str) -> str:
    alike = sorted(each for each in _KNOWN if ("." in each) == ("." in name))
    near = get_close_matches(name, alike, 1, 0.6)
    return f"; the nearest is {near[0]}" if near else ""
