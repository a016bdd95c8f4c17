"""Where batches go that are delivered over OTLP: to a courier, encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.export.encode import Encoder
from otel_trading.export.feeder import after

if TYPE_CHECKING:
    from otel_trading.export.courier import Courier
    from otel_trading.export.feeder import Safe
    from otel_trading.export.ledger import Lane


class EncodedTaker:
    """Takes OTLP requests."""

    def __init__(self, courier: Courier) -> None:
        self.target = courier.target
        self._courier = courier

    def take(self, batch: bytes, count: int, lane: Lane, safe: Safe | None = None) -> None:
        """See ``Taker``."""
        self._courier.put(batch, count, lane, safe)

    def flush(self, deadline: float) -> bool:
        """See ``Taker``."""
        return self._courier.wait_flushed(self._courier.request_flush(), deadline)

    def restart_in_child(self) -> None:
        """The courier does it itself."""

    def close(self) -> None:
        """The courier is closed when all have fed it."""


class ObjectTaker(EncodedTaker):
    """Takes the SDK's objects; one that cannot be encoded costs nothing but itself."""

    def __init__(self, courier: Courier) -> None:
        super().__init__(courier)
        self._encoder = Encoder(courier.signal)

    def take(self, batch: Any, count: int, lane: Lane, safe: Safe | None = None) -> None:  # noqa: ANN401 - any signal's
        """See ``Taker``."""
        encoded = self._encoder.encode(batch)
        for reason, dropped in encoded.dropped.items():
            self._courier.ledger.dropped(reason, dropped, lane)
        together = after(len(encoded.requests), safe) if safe is not None else None
        for request, items in encoded.requests:
            self._courier.put(request, items, lane, together)
