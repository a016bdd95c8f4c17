"""What is told of a URL: no credentials, and a template with few values in place of a path with many."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from otel_trading.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PORTS = {"http": 80, "https": 443}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NUMBER = re.compile(r"\d{2,}|0x[0-9a-fA-F]+")
_VERSION = re.compile(r"v\d[\w.]{0,8}")
_TICKER = re.compile(r"t?[A-Z0-9]{2,}([-_:./][A-Z0-9.]+)*")
_DATED_TICKER = re.compile(r"[A-Za-z]{2,10}([-_:/][A-Za-z0-9.]+)*[-_:/]\d[\w.]*")
_SLUG = re.compile(r"[a-z0-9]{1,20}(-[a-z0-9]{1,20}){3,}")
_SECRET = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[\w\-=.~+:]{32,}|(bot)?\d+:[\w\-]{8,}")
_WORDS_AND_DIGITS = re.compile(r"\D*(\d\D*){4,}|.{41,}")
_MOST_TEMPLATES = 200
_MOST_KEPT = 1_000


class Address(NamedTuple):
    """Where a request goes, as it may be told."""

    url: str
    template: str
    host: str
    port: int | None

    @classmethod
    def of(cls, url: str) -> Address:
        """Of a URL as it is requested.

        >>> address = Address.of("https://me:pw@venue.example/api/v3/orders/7781?symbol=BTCUSDT&signature=abc#top")
        >>> address.url, address.template, address.host, address.port
        ('https://venue.example/api/v3/orders/7781', '/api/v3/orders/{id}', 'venue.example', 443)
        >>> Address.of("https://api.telegram.org/bot8123:AAE-x7_d0q/sendMessage").url
        'https://api.telegram.org/{key}/sendMessage'
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme)
        except ValueError:
            return cls("", "/", "", None)
        segments = parts.path.split("/")
        path = "/".join("{key}" if _is_secret(unquote(segment)) else segment for segment in segments)
        netloc = parts.netloc.rpartition("@")[2]
        template = "/".join(_placeholder(unquote(segment)) for segment in segments) or "/"
        return cls(redact(f"{parts.scheme}://{netloc}{path}"), template, host, port)


def _is_secret(segment: str) -> bool:
    """Whether a part of a path may be somebody's key: long and opaque, but no number, hash or name."""
    public = _UUID.fullmatch(segment) or _NUMBER.fullmatch(segment) or _SLUG.fullmatch(segment)
    return not public and _SECRET.fullmatch(segment) is not None


def _placeholder(segment: str) -> str:
    """A part of a path, or what stands for all that may be in its place.

    >>> [_placeholder(part) for part in ("v3", "ticker", "24hr", "exchangeInfo", "order-book", "0", "oauth2")]
    ['v3', 'ticker', '24hr', 'exchangeInfo', 'order-book', '0', 'oauth2']
    >>> [_placeholder(part) for part in ("BTCUSDT", "BTC-USD", "tBTCUSD", "KXHIGHNY-26NOV22-B55", "btc-usd-261127")]
    ['{symbol}', '{symbol}', '{symbol}', '{symbol}', '{symbol}']
    >>> [_placeholder(part) for part in ("18812", "0x7a3f", "3f2c1d9e-8f4b-4c1e-9d55-0a1b2c3d4e5f", "x9A6SID77")]
    ['{id}', '{id}', '{id}', '{id}']
    >>> _placeholder("will-bitcoin-hit-100k-by-december"), _placeholder("pqia91ma19a5s61cv6a81va65sdf19v8a65a1")
    ('{slug}', '{key}')
    """
    if _VERSION.fullmatch(segment):
        return segment
    for pattern, stands in _PLACEHOLDERS:
        if pattern.fullmatch(segment):
            return stands
    return segment


_PLACEHOLDERS = (
    (_UUID, "{id}"),
    (_NUMBER, "{id}"),
    (_TICKER, "{symbol}"),
    (_SLUG, "{slug}"),
    (_DATED_TICKER, "{symbol}"),
    (_SECRET, "{key}"),
    (_WORDS_AND_DIGITS, "{id}"),
)


class Addresses:
    """Addresses of the requests so far; templates of a host are at most 200, what comes later is ``/{path}``.

    >>> addresses = Addresses()
    >>> addresses.of("https://venue.example/v1/markets/KXBTC-26NOV22?limit=5").template
    '/v1/markets/{symbol}'
    """

    def __init__(self, template: Callable[[str], str | None] | None = None) -> None:
        self._template = template
        self._kept: dict[str, Address] = {}
        self._templates: dict[str, set[str]] = {}

    def of(self, url: str) -> Address:
        """The address of a URL."""
        plain = url.partition("?")[0].partition("#")[0]
        found = self._kept.get(plain)
        if found is None:
            found = self._made(plain)
            if len(self._kept) >= _MOST_KEPT:
                self._kept = {}
            self._kept[plain] = found
        return found

    def _made(self, url: str) -> Address:
        address = Address.of(url)
        template = (self._template(address.url) if self._template else None) or address.template
        known = self._templates.setdefault(address.host, set())
        if len(known) < _MOST_TEMPLATES:
            known.add(template)
        elif template not in known:
            template = "/{path}"
        return address._replace(template=template)


class TraceHosts:
    """Which hosts are sent trace headers: the named ones, and what is below them.

    >>> hosts = TraceHosts(["desk.example"])
    >>> hosts.has("api.desk.example"), hosts.has("desk.example"), hosts.has("otherdesk.example")
    (True, True, False)
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._named = frozenset(host.strip().lower().lstrip("*.").rstrip(".") for host in hosts) - {""}

    def has(self, host: str) -> bool:
        """Whether this host is one of them."""
        if not self._named:
            return False
        parts = host.lower().rstrip(".").split(".")
        return any(".".join(parts[first:]) in self._named for first in range(len(parts)))
