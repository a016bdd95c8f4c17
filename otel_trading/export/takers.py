"""Where batches go: encoded to a courier, or as they are to an exporter that somebody brought."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.export.delivery import Outcome
from otel_trading.export.encode import Encoder
from otel_trading.export.feeder import after
from otel_trading.settings import report

if TYPE_CHECKING:
    from otel_trading.export.courier import Courier
    from otel_trading.export.feeder import Safe
    from otel_trading.export.ledger import Lane, Ledger
    from otel_trading.export.plugin import PluginSender


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


class PluginTaker:
    """Takes what an exporter of opentelemetry-sdk's interface exports; what it raises is a refusal."""

    def __init__(self, sender: PluginSender[Any], ledger: Ledger) -> None:
        self.target = sender.target
        self._sender = sender
        self._ledger = ledger
        self._refused = False

    def take(self, batch: Any, count: int, lane: Lane, safe: Safe | None = None) -> None:  # noqa: ANN401
        """See ``Taker``; nothing here outlives the process."""
        try:
            delivery = self._sender.send(batch)
            reason = None if delivery.outcome is Outcome.SENT else delivery.reason or "refused"
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if reason is None:
            self._ledger.sent(count)
        else:
            self._ledger.dropped("refused", count, lane)
            self._ledger.failed(reason)
            if not self._refused:
                report(f"{self._ledger.signal}: {self.target} refuses items: {reason}; they are dropped")
        self._refused = reason is not None

    def flush(self, deadline: float) -> bool:
        """See ``Taker``: what was taken is exported already."""
        return True

    def restart_in_child(self) -> None:
        """Leave it to the exporter."""

    def close(self) -> None:
        """Shut the exporter down."""
        self._sender.close()
