"""What series hold stands in a file, ten times a second, so that a killed process's last totals are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading import _native

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading.metrics.native.provider import NativeMeterProvider


class MeasurementRecorder:
    """Records the values of a provider's series; the pump does it, and instruments know nothing of it.

    Whoever pushes takes a ``mark`` before each collection and calls ``settled`` with it when all of that has arrived,
    or is safe elsewhere.

    >>> from otel_trading.metrics.native import NativeMeterProvider
    >>> recorder = MeasurementRecorder(NativeMeterProvider())
    >>> recorder.core.recording is None, recorder.mark()
    (True, 0)
    """

    def __init__(self, provider: NativeMeterProvider) -> None:
        self.core = _native.Measurements()
        self.explicit = False
        """Whether histograms are pushed, and recorded, in explicit buckets."""
        self.owner: object = None
        """Of those that push, the last one: it says when all is delivered."""
        self._provider = provider
        self._recorded: tuple[object, ...] = ()

    def record(
        self, folder: Path | None, *, size: int, service: str = "", instance: bytes = bytes(16), budget: int = 1 << 62
    ) -> None:
        """Record into a file of this folder, a ring of ``size`` bytes; without a folder no longer.

        A recording goes on unless something of this is new. ``OSError`` when the file cannot be made: then nothing is
        recorded.
        """
        wanted = (folder, size, service, instance, budget, self.explicit)
        if self._recorded == wanted and self.core.recording is not None:
            return
        self._recorded = ()
        try:
            self.core.record(size, folder, service, instance, budget, self.explicit)
        except OSError:
            self.core.record(size, None, service, instance, budget, self.explicit)
            raise
        if folder is not None:
            self._recorded = wanted
            self.describe()
            self.core.follow(self._provider.registry)

    def describe(self) -> None:
        """Whose measurements they are: the provider's resource."""
        self.core.describe(self._provider.resource)

    def mark(self) -> int:
        """To be asked before a collection: what is recorded up to here is in it."""
        return self.core.mark()

    def settled(self, mark: int) -> None:
        """What was collected after this mark has arrived, or is safe elsewhere."""
        self.core.settled(mark)

    def finish(self, owner: object, *, delivered: bool) -> None:
        """The end, if nobody else pushes by now: the recording goes, unless its last values were not delivered."""
        if self.owner is owner:
            self.core.finish(delivered)
            self._recorded = ()
