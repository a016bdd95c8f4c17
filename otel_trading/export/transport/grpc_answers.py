"""What a gRPC answer means for the request."""

from __future__ import annotations

import binascii
import contextlib
import re
import zlib
from base64 import b64decode
from typing import TYPE_CHECKING
from urllib.parse import unquote

from otel_trading.export.delivery import Delivery, Outcome
from otel_trading.export.transport import answers, statuses
from otel_trading.export.transport.compression import expanded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.export.destination import Signal

_CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
_OF_HTTP = {
    "400": "INTERNAL",
    "401": "UNAUTHENTICATED",
    "403": "PERMISSION_DENIED",
    "404": "UNIMPLEMENTED",
    "429": "UNAVAILABLE",
    "502": "UNAVAILABLE",
    "503": "UNAVAILABLE",
    "504": "UNAVAILABLE",
}
_RETRYABLE = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS"})
_MAYBE_ARRIVED = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE"})
_PREFIX = 5


def delivery(
    signal: Signal, headers: Mapping[str, str], body: bytes, *, limit: int, timeout: float, sent: bool
) -> Delivery:
    """What became of a request that was sent, or of one that was answered before it was ``sent``.

    By the OTLP specification, and where a proxy answers that knows nothing of gRPC by gRPC's mapping of HTTP.
    """
    code = _code(headers)
    if code is None:
        return _without_status(headers, sent=sent)
    if code == "OK":
        return _accepted(signal, headers, body, limit)
    said = unquote(headers.get("grpc-message", ""))
    message, wait = _details(headers.get("grpc-status-details-bin", ""))
    message = message or statuses.cut(said) or _status_of_http(headers)
    reason = f"gRPC status {code}: {message}" if message else f"gRPC status {code}"
    if code not in _RETRYABLE and not (code == "RESOURCE_EXHAUSTED" and not _too_large(said)):
        return Delivery(Outcome.REFUSED, reason=reason, code=code)
    if wait is None:
        wait = answers.retry_after(headers.get("retry-after", ""))
    if code == "DEADLINE_EXCEEDED":
        reason = f"no answer within {timeout:g} s"
    uncertain = sent and code in _MAYBE_ARRIVED
    return Delivery(Outcome.RETRY, reason=reason, retry_after=wait, uncertain=uncertain, code=code)


def _code(headers: Mapping[str, str]) -> str | None:
    """The status by its name, or by what HTTP says; ``None`` when neither says anything."""
    said = headers.get("grpc-status")
    if said is not None:
        number = int(said) if re.fullmatch(r"\d{1,3}", said, re.ASCII) else -1
        return _CODES[number] if 0 <= number < len(_CODES) else "UNKNOWN"
    status = headers.get(":status", "")
    return None if status == "200" else _OF_HTTP.get(status, "UNKNOWN")


def _status_of_http(headers: Mapping[str, str]) -> str:
    return "" if "grpc-status" in headers else f"HTTP status {headers.get(':status', '')}"


def _without_status(headers: Mapping[str, str], *, sent: bool) -> Delivery:
    kind = headers.get("content-type", "")
    if kind.startswith("application/grpc"):
        return Delivery(Outcome.RETRY, reason="the answer ended before its status", uncertain=sent)
    what = f" ({statuses.cut(kind)})" if kind else ""
    return Delivery(Outcome.REFUSED, reason=f"answer is not OTLP{what}")


def _accepted(signal: Signal, headers: Mapping[str, str], body: bytes, limit: int) -> Delivery:
    try:
        rejected, message = statuses.partial_success(signal, _message(headers, body, limit))
    except (ValueError, zlib.error):
        return Delivery(Outcome.REFUSED, reason="answer is not OTLP")
    return Delivery(Outcome.SENT, rejected, message or None)


def _message(headers: Mapping[str, str], body: bytes, limit: int) -> bytes:
    """The one message of an answer; raises ``ValueError``."""
    message = body[_PREFIX:]
    if len(body) < _PREFIX or int.from_bytes(body[1:_PREFIX]) != len(message):
        raise ValueError("not one message")
    if not body[0]:
        return message
    if headers.get("grpc-encoding") not in {"gzip", "deflate"}:
        raise ValueError("unknown compression")
    return expanded(message, limit)


def _too_large(said: str) -> bool:
    """The one kind of exhaustion that another try does not help."""
    return "larger than max" in said


def _details(value: str) -> tuple[str, float | None]:
    """What the receiver says in the rich form of an error."""
    if value:
        with contextlib.suppress(ValueError, binascii.Error):
            return statuses.status_of(b64decode(value + "=" * (-len(value) % 4)))
    return "", None
