"""From the SDK's objects to OTLP requests: one object that cannot be encoded takes no other with it."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from otel_trading.export.values import Mender
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from otel_trading.export.destination import Signal

MAX_REQUEST = 4 << 20
"""Bytes of the largest request; what gRPC's receivers take unless they are told otherwise."""
UNENCODABLE, TOO_LARGE = "unencodable", "too_large"
_TOGETHER = 16
"""Items that are tried at once while one that cannot be encoded is looked for."""
_BETWEEN_REPORTS = 300.0
_TRIMS = ((1 << 15, 4_096), (1 << 10, 256))
"""The longest text and the number of values that are left of an item that is too large, in two attempts."""


@dataclass(slots=True)
class Encoded:
    """Requests with the number of their items; how many items were mended, and how many dropped by reason."""

    requests: list[tuple[bytes, int]] = field(default_factory=list)
    mended: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


class Encoder:
    """Encodes one signal's objects.

    Takes spans, log records or ``MetricsData`` of the SDK. What OTLP cannot carry is replaced; an item that still
    cannot be encoded is dropped and counted. Says so at most every five minutes.
    """

    def __init__(self, signal: Signal, clock: Callable[[], float] = time.monotonic) -> None:
        self._signal = signal
        self._codec = _codec(signal)
        self._clock = clock
        self._silent_until = float("-inf")

    def encode(self, batch: Any) -> Encoded:  # noqa: ANN401 - the SDK's objects of the signal
        """The requests of a batch; raises nothing."""
        encoded = Encoded()
        body = _serialized(self._codec.whole, batch)
        if isinstance(body, bytes) and len(body) <= MAX_REQUEST:
            encoded.requests.append((body, self._codec.count(batch)))
            return encoded
        items = self._codec.items(batch)
        reasons: list[Exception] = []
        if not isinstance(body, bytes):
            items = self._good(items, encoded, reasons)
        self._split(items, encoded, reasons)
        self._tell(encoded, reasons)
        return encoded

    def _good(self, items: list[Any], encoded: Encoded, reasons: list[Exception]) -> list[Any]:
        """The items, mended where they have to be, without those that cannot be encoded at all."""
        good: list[Any] = []
        for start in range(0, len(items), _TOGETHER):
            few = items[start : start + _TOGETHER]
            alone = not isinstance(_serialized(self._codec.message, few), bytes)
            good += [each for item in few for each in self._sound(item, encoded, reasons)] if alone else few
        return good

    def _sound(self, item: Any, encoded: Encoded, reasons: list[Exception]) -> list[Any]:  # noqa: ANN401
        """The item, or what it is mended to, or nothing."""
        body = _serialized(self._codec.message, [item])
        if isinstance(body, bytes):
            return [item]
        reasons.append(body)
        mended = self._changed(item, Mender())
        if isinstance(mended, Exception):
            encoded.dropped[UNENCODABLE] += 1
            return []
        encoded.mended += 1
        return [mended]

    def _split(self, items: list[Any], encoded: Encoded, reasons: list[Exception]) -> None:
        """Requests of the items, none of them larger than receivers accept."""
        if not items:
            return
        body = _serialized(self._codec.message, items)
        if isinstance(body, bytes) and len(body) <= MAX_REQUEST:
            encoded.requests.append((body, len(items)))
        elif len(items) > 1:
            half = len(items) // 2
            self._split(items[:half], encoded, reasons)
            self._split(items[half:], encoded, reasons)
        else:
            self._trim(items[0], encoded, reasons)

    def _trim(self, item: Any, encoded: Encoded, reasons: list[Exception]) -> None:  # noqa: ANN401
        reasons.append(ValueError(f"an item of more than {MAX_REQUEST} bytes"))
        for longest, most in _TRIMS:
            mended = self._changed(item, Mender(longest, most))
            if isinstance(mended, Exception):
                break
            body = _serialized(self._codec.message, [mended])
            if isinstance(body, bytes) and len(body) <= MAX_REQUEST:
                encoded.mended += 1
                encoded.requests.append((body, 1))
                return
        encoded.dropped[TOO_LARGE] += 1

    def _changed(self, item: Any, mender: Mender) -> Any:  # noqa: ANN401
        """The item mended, or why it cannot be."""
        try:
            mended = self._codec.mended(item, mender)
        except Exception as error:
            return error
        body = _serialized(self._codec.message, [mended])
        return mended if isinstance(body, bytes) else body

    def _tell(self, encoded: Encoded, reasons: Sequence[Exception]) -> None:
        now = self._clock()
        if not reasons or now < self._silent_until:
            return
        self._silent_until = now + _BETWEEN_REPORTS
        said = [f"{encoded.mended} were changed"] if encoded.mended else []
        said += [f"{count} dropped ({reason})" for reason, count in encoded.dropped.items()]
        why = Mender(longest=200).text(" ".join(str(reasons[0]).split()) or type(reasons[0]).__name__)
        report(f"{self._signal}: values that OTLP cannot carry: {', '.join(said)}; the first: {why}")


@dataclass(frozen=True, slots=True)
class _Codec:
    """How a signal's batches, and single items of them, become messages of protobuf."""

    message: Callable[[Any], Any]
    mended: Callable[[Any, Mender], Any]
    whole: Callable[[Any], Any]
    items: Callable[[Any], list[Any]] = list
    count: Callable[[Any], int] = len


def _codec(signal: Signal) -> _Codec:
    if signal == "traces":
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        from otel_trading.export.mending import mended_span

        return _Codec(encode_spans, mended_span, encode_spans)
    if signal == "logs":
        from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs

        from otel_trading.export.mending import mended_log

        return _Codec(encode_logs, mended_log, encode_logs)
    from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics

    from otel_trading.export.datapoints import joined, mended_point, points

    return _Codec(
        lambda items: encode_metrics(joined(items)),
        mended_point,
        encode_metrics,
        lambda data: list(points(data)),
        lambda data: sum(1 for _ in points(data)),
    )


class _Complaints(threading.local):
    """What the encoder logs instead of raising, while we listen in this thread."""

    listening = False
    heard: str | None = None


_complaints = _Complaints()


def _listen(logger: logging.Logger, level: str) -> None:
    """Hear what is said at a level before anybody's configuration of logging decides about it."""
    say = getattr(logger, level)

    def hear(message: object, *arguments: object, **options: Any) -> None:  # noqa: ANN401 - logging's own
        if _complaints.listening:
            _complaints.heard = str(arguments[-1] if arguments else message)
        else:
            say(message, *arguments, **options)

    setattr(logger, level, hear)


_ENCODERS = "opentelemetry.exporter.otlp.proto.common._internal"
_listen(logging.getLogger(_ENCODERS), "exception")
_listen(logging.getLogger(f"{_ENCODERS}.metrics_encoder"), "warning")


def _serialized(message: Callable[[Any], Any], items: Any) -> bytes | Exception:  # noqa: ANN401
    """The bytes of a message, or why there are none: an attribute that the encoder left out is a reason, too."""
    _complaints.listening, _complaints.heard = True, None
    try:
        body: bytes = message(items).SerializeToString()
    except Exception as error:
        return getattr(error, "original_exception", None) or error
    finally:
        _complaints.listening = False
    return body if _complaints.heard is None else ValueError(_complaints.heard)
