"""How much of a venue's rate limits is used, as the headers of its answers tell."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_trading.trading.bound import bound
from otel_trading.trading.conventions import create

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.instrument.reporting import Reporting

_PATTERNS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern), kind, name)
    for pattern, kind, name in (
        (r"x-mbx-used-weight-(?P<per>\d+[smhd])", "used", "request_weight_{per}"),
        (r"x-mbx-order-count-(?P<per>\d+[smhd])", "used", "orders_{per}"),
        (r"x-sapi-used-(?P<of>ip|uid)-weight-(?P<per>\d+[smhd])", "used", "sapi_{of}_weight_{per}"),
        (r"(?:x-)?rate-?limit-limit(?:-(?P<of>[a-z0-9-]+))?", "limit", "requests{of}"),
        (r"(?:x-)?rate-?limit-remaining(?:-(?P<of>[a-z0-9-]+))?", "remaining", "requests{of}"),
        (r"(?:x-)?rate-?limit-used(?:-(?P<of>[a-z0-9-]+))?", "used", "requests{of}"),
        (r"gw-ratelimit-limit|x-bapi-limit|x-gate-ratelimit-limit", "limit", "requests"),
        (r"gw-ratelimit-remaining|x-bapi-limit-status|x-gate-ratelimit-requests-remain", "remaining", "requests"),
        (r"retry-after", "retry_after", ""),
    )
)
_ANSWERS = 1_024
"""Sets of headers that are remembered: a venue's answers have few different ones."""
_LIMITS = 256
"""Limits of all venues that are told apart."""
_DECLARED = re.compile(r'"rateLimits"\s*:\s*(\[.*?\])', re.DOTALL)
_PERIODS = {"SECOND": "s", "MINUTE": "m", "HOUR": "h", "DAY": "d"}
_KINDS = {"REQUEST_WEIGHT": "request_weight", "ORDERS": "orders"}


class Said(NamedTuple):
    """What a header is about: ``used``, ``limit``, ``remaining`` or ``retry_after``, and of which limit."""

    kind: str
    limit: str


def said_by(header: str) -> Said | None:
    """What a header of that name says of limits, if it does.

    >>> said_by("X-MBX-USED-WEIGHT-1M"), said_by("x-ratelimit-remaining")
    (Said(kind='used', limit='request_weight_1m'), Said(kind='remaining', limit='requests'))
    >>> said_by("Content-Type")
    """
    name = header.lower()
    for pattern, kind, limit in _PATTERNS:
        found = pattern.fullmatch(name)
        if found is not None:
            parts = found.groupdict(default="")
            of = parts.get("of", "").replace("-", "_")
            if kind != "used" or "per" not in parts:
                of = of and f"_{of}"
            return Said(kind, limit.format(of=of, per=parts.get("per", "")))
    return None


def seconds(retry_after: str) -> float | None:
    """The header ``Retry-After``: seconds, or a date.

    >>> seconds("30"), seconds("Thu, 01 Jan 1970 00:00:00 GMT"), seconds("soon")
    (30.0, 0.0, None)
    """
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


class Limits:
    """The limits of all venues."""

    def __init__(self, said: Reporting) -> None:
        self._usage = create(said.meter, "trading.venue.rate_limit.usage")
        self._limit = create(said.meter, "trading.venue.rate_limit.limit")
        self._share = create(said.meter, "trading.venue.rate_limit.utilization.ratio")
        self._read: dict[tuple[str, ...], list[tuple[str, str, _Limit | None]]] = {}
        self._known: dict[tuple[str, str], _Limit] = {}

    def read(self, venue: str, headers: Mapping[str, str]) -> float | None:
        """Take in the headers of an answer; how many seconds to wait before the next request, if they say."""
        names = venue, *headers
        found = self._read.get(names)
        if found is None:
            found = self._about(venue, headers)
            if len(self._read) < _ANSWERS:
                self._read[names] = found
        wait = None
        for header, kind, limit in found:
            if limit is None:
                wait = seconds(headers[header])
            else:
                limit.take(kind, headers[header])
        for _, _, limit in found:
            if limit is not None:
                limit.tell()
        return wait

    def _about(self, venue: str, headers: Mapping[str, str]) -> list[tuple[str, str, _Limit | None]]:
        """Which of these headers say something, and of which limit."""
        found: list[tuple[str, str, _Limit | None]] = []
        for header in headers:
            said = said_by(header)
            if said is not None and said.kind == "retry_after":
                found.append((header, said.kind, None))
            elif said is not None and (limit := self._of(venue, said.limit)) is not None:
                found.append((header, said.kind, limit))
        return found

    def declared(self, venue: str, body: str) -> None:
        """Take in what Binance's ``exchangeInfo`` says of the limits that its headers tell the usage of."""
        found = _DECLARED.search(body)
        for each in json.loads(found[1]) if found else ():
            kind, period = _KINDS.get(each.get("rateLimitType")), _PERIODS.get(each.get("interval"))
            if kind and period:
                limit = self._of(venue, f"{kind}_{each.get('intervalNum')}{period}")
                if limit is not None:
                    limit.take("limit", each.get("limit"))
                    limit.tell()

    def _of(self, venue: str, name: str) -> _Limit | None:
        key = venue, name
        found = self._known.get(key)
        if found is None and len(self._known) < _LIMITS:
            at = {"trading.venue.name": venue, "trading.rate_limit.name": name}
            found = self._known[key] = _Limit(
                *(bound(each, "set", at) for each in (self._usage, self._limit, self._share))
            )
        return found


class _Limit:
    """One limit, and the series that tell of it."""

    __slots__ = ("limit", "remaining", "say_limit", "say_share", "say_used", "used")

    def __init__(self, used: Callable[..., None], limit: Callable[..., None], share: Callable[..., None]) -> None:
        self.say_used, self.say_limit, self.say_share = used, limit, share
        self.used: float | None = None
        self.limit: float | None = None
        self.remaining: float | None = None

    def take(self, kind: str, value: Any) -> None:  # noqa: ANN401 - what came in the header
        """Take in what is used, remaining or allowed; what is no number is left out."""
        with suppress(TypeError, ValueError):
            setattr(self, kind, float(value))

    def tell(self) -> None:
        """Say what is known of it."""
        used = self.used
        if self.remaining is not None and self.limit is not None:
            used = self.limit - self.remaining
        if used is not None:
            self.say_used(used)
        if self.limit is not None:
            self.say_limit(self.limit)
            if used is not None and self.limit > 0:
                self.say_share(used / self.limit)
