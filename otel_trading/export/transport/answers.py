"""What an HTTP answer means for the request."""

from __future__ import annotations

import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from otel_trading.export.delivery import Delivery, Outcome
from otel_trading.export.transport import statuses

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.export.destination import Signal

_GOOD, _REDIRECTS = range(200, 300), range(300, 400)
_RETRYABLE = frozenset({408, 429, 502, 503, 504})
_NOT_OTLP = b"\xff"
_PROTOBUF = ("", "application/x-protobuf", "application/protobuf", "application/octet-stream")


def delivery(signal: Signal, url: str, status: int, headers: Mapping[str, str], body: bytes) -> Delivery:
    """What became of a request: by the OTLP specification, and 408 is worth another try as well."""
    if status in _GOOD:
        return _accepted(signal, headers, body)
    if status in _REDIRECTS:
        return _redirected(url, status, headers.get("Location", ""))
    message, wait = _said(headers, body)
    reason = f"HTTP status {status}: {message}" if message else f"HTTP status {status}"
    if status not in _RETRYABLE:
        return Delivery(Outcome.REFUSED, reason=reason)
    asked = retry_after(headers.get("Retry-After", ""))
    return Delivery(Outcome.RETRY, reason=reason, retry_after=wait if asked is None else asked)


def retry_after(value: str) -> float | None:
    """The seconds a ``Retry-After`` asks for, an hour at most; ``None`` when it asks for nothing.

    >>> retry_after("2"), retry_after("Wed, 21 Oct 2015 07:28:00 GMT"), retry_after("soon")
    (2.0, 0.0, None)
    """
    value = value.strip()
    if re.fullmatch(r"\d+(\.\d+)?", value, re.ASCII):
        return statuses.bounded_wait(float(value))
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    return statuses.bounded_wait((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - time.time())


def _accepted(signal: Signal, headers: Mapping[str, str], body: bytes) -> Delivery:
    kind = _content_type(headers)
    if not body:
        return Delivery(Outcome.SENT)
    read = statuses.partial_success_json if kind.endswith("json") else statuses.partial_success
    try:
        rejected, message = read(signal, body if kind.endswith("json") or kind in _PROTOBUF else _NOT_OTLP)
    except (ValueError, TypeError, RecursionError):
        what = f"{kind}, " if kind else ""
        begin = statuses.cut(body[:80].decode(errors="replace"))
        return Delivery(Outcome.REFUSED, reason=f"answer is not OTLP ({what}{begin!r})")
    return Delivery(Outcome.SENT, rejected, message or None)


def _redirected(url: str, status: int, location: str) -> Delivery:
    try:
        host = urlsplit(urljoin(url, location)).netloc.rpartition("@")[2] if location else ""
    except ValueError:
        host = ""
    to = f" to {statuses.cut(host)}" if host else ""
    return Delivery(Outcome.REFUSED, reason=f"HTTP status {status}: redirects{to} are not followed")


def _said(headers: Mapping[str, str], body: bytes) -> tuple[str, float | None]:
    """The receiver's message, where it sent one that people can read."""
    kind = _content_type(headers)
    if "html" in kind:
        return "", None
    if "protobuf" in kind:
        try:
            return statuses.status_of(body)
        except ValueError:
            return "", None
    text = body.decode(errors="replace")
    if kind.endswith("json"):
        found = re.search(r'"message"\s*:\s*"((?:[^"\\]|\\.)*)"', text)
        text = found[1] if found else text
    return statuses.cut(text), None


def _content_type(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()
