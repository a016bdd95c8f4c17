"""What all instrumentations of the kit have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

from otel_trading.instrument.patching import Patches
from otel_trading.instrument.reporting import reporting

if TYPE_CHECKING:
    from collections.abc import Collection

    from otel_trading.instrument.reporting import Reporting


class Instrumentor(BaseInstrumentor):  # type: ignore[misc]
    """An instrumentation by OpenTelemetry's contract.

    A subclass names the packages it knows, and replaces in ``_patch`` what it has to see. Everything that ``_patch``
    replaced is put back when the instrumentation is taken back, and when ``_patch`` fails.

    ``instrument()`` takes ``meter_provider`` and ``tracer_provider``, and the hooks that the subclass documents.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    """What is instrumented, as requirements: ``ccxt >= 4.4``."""

    _patches: Patches | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """The packages and their versions that this knows."""
        return self.packages

    def _instrument(self, **given: Any) -> None:  # noqa: ANN401 - the contract's
        patches = Patches()
        try:
            self._patch(patches, reporting(given), **given)
        except BaseException:
            patches.undo()
            raise
        self._patches = patches

    def _uninstrument(self, **_: Any) -> None:  # noqa: ANN401
        patches, self._patches = self._patches, None
        if patches is not None:
            patches.undo()

    def _patch(self, patches: Patches, said: Reporting, **given: Any) -> None:  # noqa: ANN401
        """Replace what has to be seen."""
        raise NotImplementedError
