"""The OpenTelemetry metrics API and what the kit adds to it, for type checkers alone.

Both engines' instruments are such instruments, but not of these classes: nothing here exists at run time.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, SupportsFloat

from opentelemetry import metrics as api

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.util.types import Attributes


class BoundCounter(Protocol):
    """One series of a counter."""

    def add(self, amount: SupportsFloat, /) -> None:
        """Add an amount."""


class BoundGauge(Protocol):
    """One series of a gauge."""

    def set(self, amount: SupportsFloat, /) -> None:
        """Set the value."""


class Token(Protocol):
    """A running measurement: stop it, or use it in a ``with`` statement."""

    def stop(self) -> float | None:
        """Record the time since the start; the elapsed seconds, ``None`` when it was stopped before."""

    def cancel(self) -> None:
        """Record nothing."""

    def __enter__(self) -> Any:  # noqa: ANN401 - itself
        """The token."""

    def __exit__(self, *_: object) -> None:
        """Stop."""


class BoundHistogram(Protocol):
    """One series of a histogram."""

    def record(self, amount: SupportsFloat, /) -> None:
        """Record a value."""

    def time(self) -> Token:
        """Start a measurement of time, in the histogram's unit."""
        ...


class Counter(api.Counter):
    """``opentelemetry.metrics.Counter``, and handles to its series."""

    @abstractmethod
    def add(self, amount: SupportsFloat, attributes: Attributes = None, context: Context | None = None) -> None:
        """Add an amount."""

    @abstractmethod
    def bind(self, attributes: Attributes = None) -> BoundCounter:
        """A handle to the series of these attributes: the same as passing them, at a fraction of the cost."""

    @abstractmethod
    def remove(self, attributes: Attributes = None) -> bool:
        """Report the series of these attributes no longer; whether there was one."""


class UpDownCounter(api.UpDownCounter):
    """``opentelemetry.metrics.UpDownCounter``, and handles to its series."""

    @abstractmethod
    def add(self, amount: SupportsFloat, attributes: Attributes = None, context: Context | None = None) -> None:
        """Add an amount."""

    @abstractmethod
    def bind(self, attributes: Attributes = None) -> BoundCounter:
        """See ``Counter.bind``."""

    @abstractmethod
    def remove(self, attributes: Attributes = None) -> bool:
        """See ``Counter.remove``."""


class Gauge(api._Gauge):  # noqa: SLF001 - the API has no public name for it yet
    """``opentelemetry.metrics.Gauge``, and handles to its series."""

    @abstractmethod
    def set(self, amount: SupportsFloat, attributes: Attributes = None, context: Context | None = None) -> None:
        """Set the value."""

    @abstractmethod
    def bind(self, attributes: Attributes = None) -> BoundGauge:
        """See ``Counter.bind``."""

    @abstractmethod
    def remove(self, attributes: Attributes = None) -> bool:
        """See ``Counter.remove``."""


class Histogram(api.Histogram):
    """``opentelemetry.metrics.Histogram``, handles to its series, and timers."""

    @abstractmethod
    def record(self, amount: SupportsFloat, attributes: Attributes = None, context: Context | None = None) -> None:
        """Record a value."""

    @abstractmethod
    def bind(self, attributes: Attributes = None) -> BoundHistogram:
        """See ``Counter.bind``."""

    @abstractmethod
    def remove(self, attributes: Attributes = None) -> bool:
        """See ``Counter.remove``."""

    @abstractmethod
    def time(self, attributes: Attributes = None) -> Token:
        """Start a measurement of time, in the histogram's unit."""


class Meter(api.Meter):
    """``opentelemetry.metrics.Meter`` with the kit's instruments."""

    @abstractmethod
    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        """See ``opentelemetry.metrics.Meter``."""

    @abstractmethod
    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        """See ``opentelemetry.metrics.Meter``."""

    @abstractmethod
    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Gauge:
        """See ``opentelemetry.metrics.Meter``."""

    @abstractmethod
    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        """See ``opentelemetry.metrics.Meter``."""

    @abstractmethod
    def create_signed_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> Histogram:
        """A histogram that takes negative values, too: slippage, the profit of a trade."""
