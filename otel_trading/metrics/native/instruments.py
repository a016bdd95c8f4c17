"""The instruments: native objects where calls are hot, and what their names and units may be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from opentelemetry import metrics as api

from otel_trading import _native

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.metrics.native.callbacks import Callback
    from otel_trading.metrics.native.identity import Identity

_NAME = re.compile(r"[A-Za-z][-_./A-Za-z0-9]{0,254}")
_UNIT = re.compile(r"[\x00-\x7F]{0,63}")

# Native types have no Python base classes; registered like this they are instances of the API's all the same.
api.Counter.register(_native.Counter)
api.UpDownCounter.register(_native.UpDownCounter)
api.Histogram.register(_native.Histogram)
api._Gauge.register(_native.Gauge)  # noqa: SLF001 - the API has no public name for it yet


class Observable(api.Asynchronous):
    """An instrument whose values callbacks report at each collection."""

    def __init__(self, identity: Identity, native: _native.Observable) -> None:
        self.name, self.unit, self.description = identity.name, identity.unit, identity.description
        self.native = native
        self.callbacks: Sequence[Callback] = ()
        """Exchanged as a whole, so that a collection may walk it without a lock."""


class ObservableCounter(Observable, api.ObservableCounter):
    """See ``opentelemetry.metrics.ObservableCounter``."""


class ObservableUpDownCounter(Observable, api.ObservableUpDownCounter):
    """See ``opentelemetry.metrics.ObservableUpDownCounter``."""


class ObservableGauge(Observable, api.ObservableGauge):
    """See ``opentelemetry.metrics.ObservableGauge``."""


OBSERVABLES: dict[str, type[Observable]] = {
    "observable_counter": ObservableCounter,
    "observable_up_down_counter": ObservableUpDownCounter,
    "observable_gauge": ObservableGauge,
}


def fault(name: object, unit: object) -> str | None:
    """Why an instrument cannot have this name and unit; ``None`` when it can.

    >>> fault("bot.frames", "{frame}") is None, fault("bot.frames", None) is None
    (True, True)
    >>> fault("9 lives", "s")
    'a name is a letter and up to 254 letters, digits, "-", "_", "." or "/"'
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return 'a name is a letter and up to 254 letters, digits, "-", "_", "." or "/"'
    if unit is not None and not (isinstance(unit, str) and _UNIT.fullmatch(unit)):
        return "a unit is at most 63 ASCII characters"
    return None
