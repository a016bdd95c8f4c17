"""Faults that a prediction venue can be told to have, and the text that names them."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Literal, NamedTuple, cast, get_args

if TYPE_CHECKING:
    from collections.abc import Callable

Kind = Literal[
    "disconnect", "silent", "malformed", "slow_ack", "reject", "unavailable", "unsettled", "settlement_fails"
]

ALLOWED = (
    "disconnect, silent (nothing is sent on open sockets), malformed (frames are cut off), slow_ack:DELAY, "
    "reject (orders are), unavailable (HTTP 503), unsettled (executions stay matched), settlement_fails; all with an "
    "optional :FOR at the end; DELAY and FOR are times such as 900ms or 10s"
)

_TIME = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}


class FaultError(ValueError):
    """A fault's text cannot be read; the message names all that can."""


class Fault(NamedTuple):
    """What goes wrong, by how many seconds where it is a delay, and for how long; until cleared where ``None``."""

    kind: Kind
    value: float = 0.0
    duration: float | None = None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read a fault.

        >>> Fault.parse("slow_ack:900ms:30s")
        Fault(kind='slow_ack', value=0.9, duration=30.0)

        Raises:
            FaultError: with all that is allowed.

        """
        kind, *rest = text.strip().split(":")
        if kind not in get_args(Kind):
            raise _unreadable(text)
        value = 0.0
        if kind == "slow_ack":
            value = _seconds(rest.pop(0) if rest else "", text)
        duration = _seconds(rest.pop(0), text) if rest else None
        if rest:
            raise _unreadable(text)
        return cls(cast("Kind", kind), value, duration)


class Faults:
    """The faults a venue has now, one of each kind at most; each ends at its time."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._active: dict[Kind, tuple[Fault, float]] = {}

    def switch_on(self, fault: Fault) -> None:
        """Start a fault; a ``disconnect`` without a duration only closes what is open."""
        if fault.kind != "disconnect" or fault.duration is not None:
            ends = float("inf") if fault.duration is None else self._monotonic() + fault.duration
            self._active[fault.kind] = (fault, ends)

    def switch_off(self, kind: Kind | None = None) -> None:
        """End a fault, or all."""
        for each in [kind] if kind else list(self._active):
            self._active.pop(each, None)

    def get(self, kind: Kind) -> Fault | None:
        """The fault of this kind, if there is one now."""
        fault, ends = self._active.get(kind, (None, 0.0))
        return fault if fault is not None and self._monotonic() < ends else None


def _seconds(part: str, text: str) -> float:
    match = _TIME.fullmatch(part)
    if match is None:
        raise _unreadable(text)
    return float(match[1]) * _SECONDS[match[2]]


def _unreadable(text: str) -> FaultError:
    return FaultError(f"cannot read the fault {text!r}; allowed are {ALLOWED}")
