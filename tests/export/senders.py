"""Senders towards a receiver of a test, and requests for them."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from otel_trading.export.delivery import Delivery, Receiver
from otel_trading.export.destination import Destination
from otel_trading.export.transport import OtlpSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def request(*names: str) -> bytes:
    """An OTLP request with spans of these names."""
    made = ExportTraceServiceRequest()
    spans = made.resource_spans.add().scope_spans.add().spans
    for name in names:
        spans.add(name=name, trace_id=bytes(range(16)), span_id=bytes(range(8)))
    return made.SerializeToString()


@contextmanager
def sender(url: str, **options: Any) -> Iterator[OtlpSender]:
    """A sender of traces; over HTTP, without compression and for 20 s unless told otherwise."""
    defaults: dict[str, Any] = {"protocol": "http/protobuf", "compression": "none", "timeout": 20.0, "headers": {}}
    destination = Destination(**{"url": url, **defaults, **options})
    made = OtlpSender("traces", destination, Receiver(url))
    try:
        yield made
    finally:
        made.close()


class UnderWay:
    """A call in a thread of its own."""

    def __init__(self, call: Callable[[], Delivery]) -> None:
        self._answers: list[Delivery] = []
        self._thread = threading.Thread(target=lambda: self._answers.append(call()), daemon=True)
        self._thread.start()

    def result(self, seconds: float = 30.0) -> Delivery:
        """What it answered, if it does in time."""
        self._thread.join(seconds)
        assert self._answers, "it did not end in time"
        return self._answers[0]


def timed(call: Callable[[], Delivery]) -> tuple[Delivery, float]:
    """What a call answers, and the seconds it took."""
    started = time.monotonic()
    return call(), time.monotonic() - started
