"""Who may do what: tokens of programs, sessions of browsers."""

from __future__ import annotations

import hmac
import secrets
import time
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

SESSION = 12 * 3_600
"""Seconds that a session lasts."""

_MOST_SESSIONS = 100
_CANNOT_BE_GUESSED = 32


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: from where, and whether with the token or in a session."""

    address: str
    known: bool


CALLER: ContextVar[Caller] = ContextVar("otel_trading_ops_caller")
"""Who asks for what is being answered."""

F = TypeVar("F", bound="Callable[..., object]")


class Access(Enum):
    """Who may ask for a page."""

    OPEN = "everybody"
    """Pages without anything of the bot in them, such as the form that takes the token."""
    PROBE = "probes"
    """Everybody on loopback; elsewhere with the token, unless ``ops_open_probes``."""
    READ = "readers"
    """Everybody on loopback; elsewhere with the token."""
    TOKEN = "holders of the token"  # noqa: S105 - of nobody
    """With the token everywhere: what changes something, and what files of this user hold."""


def access(wanted: Access) -> Callable[[F], F]:
    """Say who may ask for what a handler answers; without it reading is ``READ`` and all else ``TOKEN``.

    >>> @access(Access.OPEN)
    ... async def form(request): ...
    >>> wanted_by(form, "GET"), wanted_by(print, "GET"), wanted_by(print, "POST")
    (<Access.OPEN: 'everybody'>, <Access.READ: 'readers'>, <Access.TOKEN: 'holders of the token'>)
    """

    def mark(handler: F) -> F:
        handler.access = wanted  # type: ignore[attr-defined]
        return handler

    return mark


def wanted_by(handler: object, method: str) -> Access:
    """Who may ask a handler."""
    usual = Access.READ if method in {"GET", "HEAD", "OPTIONS"} else Access.TOKEN
    found = getattr(handler, "access", usual)
    return found if isinstance(found, Access) else usual


class Keys:
    """What opens the server: its token, and the sessions of those who showed it.

    >>> keys = Keys("s3cret")
    >>> keys.fits("s3cret"), keys.fits("guess")
    (True, False)
    >>> keys.admits(keys.session()), keys.admits("guess")
    (True, False)
    """

    def __init__(self, token: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.token = token
        self._clock = clock
        self._sessions: OrderedDict[bytes, float] = OrderedDict()

    @property
    def guessable(self) -> bool:
        """Whether it is worth trying tokens."""
        return self.token is not None and len(self.token) < _CANNOT_BE_GUESSED

    def fits(self, token: str) -> bool:
        """Whether it is the token; takes equally long for whatever it is compared with."""
        expected = (self.token or secrets.token_hex()).encode()
        return hmac.compare_digest(token.encode(errors="surrogateescape"), expected) and self.token is not None

    def session(self) -> str:
        """A key for twelve hours; of too many the oldest holds no more."""
        key = secrets.token_urlsafe(32)
        self._sessions[_digest(key)] = self._clock() + SESSION
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return key

    def admits(self, key: str) -> bool:
        """Whether it is the key of a session."""
        return self._clock() < self._sessions.get(_digest(key), 0.0)

    def end(self, key: str) -> None:
        """Have a session's key hold no more."""
        self._sessions.pop(_digest(key), None)


def made_up() -> str:
    """A token that nobody guesses."""
    return secrets.token_urlsafe(32)


def _digest(key: str) -> bytes:
    """What a session is found by: looking it up tells nothing of the keys there are."""
    return sha256(key.encode(errors="surrogateescape")).digest()
