"""Faults a venue can be told to have, and the text a command names them with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

from otel_trading.demo.venue.market import VENUES, VenueName

if TYPE_CHECKING:
    from collections.abc import Callable

FaultKind = Literal["disconnect", "silent", "malformed", "slow_ack", "reject", "clock_skew"]

ALLOWED = (
    "disconnect:VENUE[:FOR], silent:VENUE[:FOR], malformed:VENUE[:FOR], slow_ack:VENUE:DELAY[:FOR], "
    "reject:VENUE:FRACTION[@CODE][:FOR], clock_skew:VENUE:OFFSET[:FOR]; "
    "VENUE is spot or perp, DELAY, OFFSET and FOR are times such as 900ms or 10s, "
    "FRACTION is between 0 and 1, CODE is a venue error code such as -2010"
)

_TIME = re.compile(r"(?P<number>[+-]?\d+(?:\.\d+)?)(?P<unit>ms|s|m)")
_FRACTION = re.compile(r"(?P<fraction>0(?:\.\d+)?|1(?:\.0+)?|\.\d+)(?:@(?P<code>-\d+))?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_WITH_VALUE = {"slow_ack", "reject", "clock_skew"}


class FaultError(ValueError):
    """A fault's text cannot be read; the message names everything that can."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of one venue.

    Args:
        kind: what goes wrong.
        venue: where.
        value: seconds of delay (``slow_ack``) or offset (``clock_skew``), or the fraction of orders (``reject``).
        code: the error code of a ``reject``; the venue's lack-of-funds code where ``None``.
        duration: seconds until it ends by itself; ``None`` lasts until cleared. A ``disconnect`` without one closes
            the sockets once and lets clients come back at once.

    """

    kind: FaultKind
    venue: VenueName
    value: float = 0.0
    code: int | None = None
    duration: float | None = None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read a fault such as ``silent:perp:10s`` or ``slow_ack:spot:900ms:30s``.

        Raises:
            FaultError: with all that is allowed.

        """
        kind, *rest = text.strip().split(":")
        if kind not in get_args(FaultKind) or not rest or rest[0] not in VENUES:
            raise _unreadable(text)
        venue = cast("VenueName", rest.pop(0))
        value, code = 0.0, None
        if kind in _WITH_VALUE:
            if not rest:
                raise _unreadable(text)
            value, code = _value(kind, rest.pop(0), text)
        duration = _seconds(rest.pop(0), text) if rest else None
        if rest or (duration is not None and duration <= 0) or (kind == "slow_ack" and value < 0):
            raise _unreadable(text)
        return cls(cast("FaultKind", kind), venue, value, code, duration)

    def __str__(self) -> str:
        """Return the text that :meth:`parse` reads."""
        parts: list[str] = [self.kind, self.venue]
        if self.kind == "reject":
            parts.append(f"{self.value:g}" + (f"@{self.code}" if self.code is not None else ""))
        elif self.kind in _WITH_VALUE:
            parts.append(f"{self.value * 1000:.10g}ms")
        if self.duration is not None:
            parts.append(f"{self.duration:.10g}s")
        return ":".join(parts)


class Faults:
    """The faults a venue has now; at most one of each kind, and each ends at its time.

    Args:
        monotonic: seconds of a clock that never goes back.

    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._active: dict[FaultKind, tuple[Fault, float | None]] = {}

    def switch_on(self, fault: Fault) -> None:
        """Start a fault, replacing one of its kind."""
        ends = None if fault.duration is None else self._monotonic() + fault.duration
        if fault.kind == "disconnect" and ends is None:
            return
        self._active[fault.kind] = (fault, ends)

    def switch_off(self, kind: FaultKind | None = None) -> None:
        """End the fault of ``kind``, or every fault."""
        if kind is None:
            self._active.clear()
        else:
            self._active.pop(kind, None)

    def get(self, kind: FaultKind) -> Fault | None:
        """Return the active fault of ``kind``."""
        if not self._active:
            return None
        entry = self._active.get(kind)
        if entry is None:
            return None
        fault, ends = entry
        if ends is not None and self._monotonic() >= ends:
            del self._active[kind]
            return None
        return fault

    def active(self) -> list[Fault]:
        """Return every active fault."""
        return [fault for kind in get_args(FaultKind) if (fault := self.get(kind)) is not None]


def _value(kind: str, part: str, text: str) -> tuple[float, int | None]:
    if kind != "reject":
        return _seconds(part, text), None
    match = _FRACTION.fullmatch(part)
    if match is None:
        raise _unreadable(text)
    code = match["code"]
    return float(match["fraction"]), None if code is None else int(code)


def _seconds(part: str, text: str) -> float:
    match = _TIME.fullmatch(part)
    if match is None:
        raise _unreadable(text)
    return float(match["number"]) * _SECONDS[match["unit"]]


def _unreadable(text: str) -> FaultError:
    return FaultError(f"cannot read the fault {text!r}; allowed are {ALLOWED}")
