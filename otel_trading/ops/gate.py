"""Which requests are carried out: the checks before each, and nothing after them knows of tokens."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from otel_trading.ops.access import Access
from otel_trading.ops.problems import RefusedError
from otel_trading.ops.terms import is_loopback

if TYPE_CHECKING:
    from aiohttp import web

    from otel_trading.ops.access import Keys
    from otel_trading.ops.limits import Limits
    from otel_trading.ops.terms import Terms

_LONGEST_TARGET = 2_048
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Gate:
    """Raises ``RefusedError`` for what is not carried out."""

    def __init__(self, terms: Terms, keys: Keys, limits: Limits, port: int) -> None:
        self._terms = terms
        self._keys = keys
        self._limits = limits
        self.cookie = f"{'__Host-' if terms.secure else ''}otel_trading_{port}"
        """The name of a session's cookie: browsers send a host's cookies to all of its ports."""

    def check(self, request: web.Request, address: str, wanted: Access) -> bool:
        """Whether it comes from somebody known; before its body is read."""
        if len(request.raw_path) > _LONGEST_TARGET:
            raise RefusedError(414, f"a path has at most {_LONGEST_TARGET} characters", because="form")
        self._check_host(request)
        known, refusal = "", None
        try:
            known = self._known(request, address)
        except RefusedError as error:
            refusal = error
        wait = self._limits.request(address, "known" if known else wanted.name)
        if wait:
            raise _too_many("too many requests from this address", wait, "rate")
        if refusal is not None:
            raise refusal
        self._check_origin(request, by_token=known == "token")
        if known or wanted is Access.OPEN or not self._needs_key(request, wanted):
            return bool(known)
        raise self._unknown(wanted)

    def log_in(self, token: str, address: str) -> None:
        """Check a token that somebody typed."""
        if not self._fits(token, address):
            raise self._unknown(Access.TOKEN)

    def _needs_key(self, request: web.Request, wanted: Access) -> bool:
        if wanted is Access.TOKEN:
            return True
        if wanted is Access.PROBE and self._terms.open_probes:
            return False
        return is_closed(self._terms, request)

    def _known(self, request: web.Request, address: str) -> str:
        """By what the request is known: ``token``, ``session`` or nothing."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            if self._fits(token.strip(), address):
                return "token"
            raise self._unknown(Access.TOKEN)
        return "session" if self._keys.admits(_cookie(request, self.cookie)) else ""

    def _fits(self, token: str, address: str) -> bool:
        """Whether it is the token; one that could be guessed is not looked at after too many wrong ones."""
        barred = self._limits.barred(address)
        if barred and self._keys.guessable:
            raise _too_many("too many wrong tokens from this address", barred, "barred")
        if self._keys.fits(token):
            return True
        self._limits.failure(address)
        if barred:
            raise _too_many("too many wrong tokens from this address", barred, "barred")
        return False

    def _unknown(self, wanted: Access) -> RefusedError:
        if self._keys.token is None:
            return RefusedError(
                403, "nothing can be changed, as there is no token; set OTEL_TRADING_OPS_TOKEN", because="token"
            )
        where = "the value of OTEL_TRADING_OPS_TOKEN" if self._terms.token else "otel-trading ops token prints it"
        what = "this" if wanted is Access.TOKEN else "everything on an address that others reach"
        headers = {"WWW-Authenticate": 'Bearer realm="otel-trading"'}
        return RefusedError(401, f"a bearer token is required for {what}: {where}", headers, because="token")

    def _check_host(self, request: web.Request) -> None:
        """A name that was made to point here is not ours: a browser would hand its page what we answer."""
        given = request.headers.getall("Host", [])
        if len(given) > 1:
            raise RefusedError(400, "there is more than one Host", because="form")
        if not self._terms.loopback or not given:
            return
        host = host_of(given[0])
        named = host in self._terms.hosts or host == self._terms.host.lower()
        if not (named or is_loopback(host) or host.endswith(".localhost")):
            raise RefusedError(
                421, "this host is not known; if it is a reverse proxy's, set OTEL_TRADING_OPS_HOSTS", because="host"
            )

    def _check_origin(self, request: web.Request, *, by_token: bool) -> None:
        """A page of another site may make a browser ask for something with the browser's session."""
        if request.method in _READING and "Upgrade" not in request.headers:
            return
        origin = request.headers.get("Origin")
        if origin is None:
            if not by_token and _cookie(request, self.cookie):
                raise RefusedError(403, "a browser's request needs its Origin", because="origin")
            return
        _, separator, authority = origin.partition("://")
        if not separator or authority.lower() != request.headers.get("Host", "").lower():
            raise RefusedError(403, "requests of other sites are refused", because="origin")


def is_closed(terms: Terms, request: web.Request) -> bool:
    """Whether also reading needs the token: others than this host's users may ask."""
    return not terms.loopback or host_of(request.headers.get("Host", "")) in terms.hosts


def host_of(authority: str) -> str:
    """A host without its port.

    >>> host_of("127.0.0.1:8080"), host_of("[::1]:8080"), host_of("Bot.Example")
    ('127.0.0.1', '::1', 'bot.example')
    """
    text = authority.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.rpartition(":")[0] if text.count(":") == 1 else text


def _cookie(request: web.Request, name: str) -> str:
    try:
        return request.cookies.get(name, "")
    except Exception:  # whatever a cookie may look like
        return ""


def _too_many(detail: str, seconds: float, because: str) -> RefusedError:
    return RefusedError(429, detail, {"Retry-After": str(math.ceil(seconds))}, because=because)
