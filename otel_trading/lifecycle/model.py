"""What a step of the end is, and what is said of it afterwards."""

from __future__ import annotations

import inspect
import signal as signals
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

Outcome = Literal["done", "failed", "timeout", "abandoned", "skipped"]
"""``timeout`` was cut off in time, ``abandoned`` went on after that and was left behind."""

STOP_NEW_ORDERS, CANCEL_ORDERS, CLOSE_POSITIONS = "stop_new_orders", "cancel_orders", "close_positions"
RECONCILE, DISCONNECT, SAVE_STATE, FLUSH = "reconcile", "disconnect", "save_state", "flush"
BODY = "body"

KNOWN = (STOP_NEW_ORDERS, BODY, CANCEL_ORDERS, CLOSE_POSITIONS, RECONCILE, DISCONNECT, SAVE_STATE, FLUSH)
"""The steps that have a place of their own, in this order."""

_CRITICAL = frozenset({CANCEL_ORDERS, SAVE_STATE})
_LONGEST_DETAIL = 500


class IncompleteError(RuntimeError):
    """A step came to its end without having reached what it is for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the end.

    Args:
        name: what it is called in spans, metrics and the report; names that are known have a place of their own.
        call: a function or a coroutine function without arguments; what it returns is shown in the report.
        timeout: seconds that it may take; ``ending_step_timeout`` when not given.
        critical: whether it gets a larger share of the time and is done even after a failure that stops others;
            ``cancel_orders`` and ``save_state`` are unless told otherwise.
        after: names of steps that come before it.
        before: names of steps that come after it.
        stops_on_failure: whether steps after it that are not critical are left out when it fails.
        loop: the event loop of a coroutine function, where it is another one than the block's.

    >>> Step("drain", lambda: None, timeout=2, after="cancel_orders").after
    ('cancel_orders',)

    """

    name: str
    call: Callable[[], object]
    timeout: float | None = None
    critical: bool | None = None
    after: str | tuple[str, ...] = ()
    before: str | tuple[str, ...] = ()
    stops_on_failure: bool = False
    loop: asyncio.AbstractEventLoop | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("after", "before"):
            value = getattr(self, name)
            object.__setattr__(self, name, (value,) if isinstance(value, str) else tuple(value))
        if not callable(self.call):
            raise TypeError(_not_callable(self.call))
        if self.timeout is not None and not self.timeout > 0:
            raise ValueError(f"timeout={self.timeout} of the step {self.name}; allowed: a number above 0 (seconds)")

    @property
    def is_critical(self) -> bool:
        """Whether it is, by its name if it does not say."""
        return self.name in _CRITICAL if self.critical is None else self.critical

    @property
    def is_async(self) -> bool:
        """Whether it has to run on an event loop."""
        return inspect.iscoroutinefunction(self.call) or inspect.iscoroutinefunction(
            getattr(type(self.call), "__call__", None)  # noqa: B004 - an object whose call is a coroutine function
        )


def as_step(given: Step | Callable[[], object]) -> Step:
    """A function as a step of its name.

    >>> def cancel_orders(): ...
    >>> as_step(cancel_orders).name
    'cancel_orders'
    """
    if isinstance(given, Step):
        return given
    if not callable(given):
        raise TypeError(_not_callable(given))
    function: Any = inspect.unwrap(getattr(given, "func", given))
    name = str(getattr(function, "__name__", type(given).__name__))
    return Step("step" if name == "<lambda>" else name.lstrip("_") or name, given)


def _not_callable(given: object) -> str:
    if inspect.iscoroutine(given):
        name = given.__name__
        given.close()
        return f"a step is a function: give {name}, not {name}()"
    return f"a step is a function or a Step, not {given!r}"


@dataclass(frozen=True, slots=True)
class Phase:
    """What became of a step; ``seconds`` is how long it took, ``detail`` says the rest in words."""

    name: str
    outcome: Outcome
    seconds: float
    detail: str = ""


def shortened(text: object) -> str:
    r"""One line for people.

    >>> shortened("two\n lines")
    'two lines'
    """
    line = " ".join(str(text).split())
    return line if len(line) <= _LONGEST_DETAIL else f"{line[: _LONGEST_DETAIL - 3]}..."


@dataclass(frozen=True, slots=True)
class EndReport:
    """How the block ended.

    Args:
        reason: why: ``signal``, what ``stop()`` was told, ``end of the block`` or the exception that left it.
        signal: the number of the signal, if one asked for it.
        seconds: from the wish to the end.
        timeout: how long it could have taken.
        phases: what was done, in this order.
        signals: how many signals came; the second one hurried it.

    """

    reason: str
    signal: int | None
    seconds: float
    timeout: float
    phases: tuple[Phase, ...]
    signals: int = 0

    @property
    def ok(self) -> bool:
        """Whether every step that was to be done was done."""
        return all(phase.outcome == "done" or _by_choice(phase) for phase in self.phases)

    @property
    def signal_name(self) -> str:
        """The signal's name; empty without one."""
        return "" if self.signal is None else signals.Signals(self.signal).name

    def __getitem__(self, name: str) -> Phase:
        """The first phase of this name; ``KeyError`` if there is none."""
        for phase in self.phases:
            if phase.name == name:
                return phase
        raise KeyError(name)

    def json(self) -> dict[str, object]:
        """The same as plain values."""
        return {**asdict(self), "phases": [asdict(each) for each in self.phases], "ok": self.ok}


NOT_WANTED = "ending_close_positions is off"


def _by_choice(phase: Phase) -> bool:
    return phase.outcome == "skipped" and phase.detail == NOT_WANTED
