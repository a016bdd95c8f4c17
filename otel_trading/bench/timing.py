"""Timing to be trusted on a noisy machine: short repeats in turn, minimum and median, the empty loop taken off."""

from __future__ import annotations

import ast
import gc
import statistics
import textwrap
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

Clock = Callable[[], int]
"""Nanoseconds since any moment."""

SLICE_NS = 1_200_000
"""Shorter than a scheduler's slice: a repeat is either undisturbed, or the minimum leaves it out."""

MOST_ROUNDS = 100_000
"""In one repeat: fewer than the queue of events holds."""

WALKED_BYTES = 1 << 20

_TRIAL = 50
# a page that was never written is the kernel's one page of zeros, and walking it evicts nothing
_memory = bytearray(b"\x01") * WALKED_BYTES


@dataclass(frozen=True, slots=True)
class Call:
    """A statement, and the objects its names stand for; they are local variables where it runs.

    A statement may ``await`` what does not suspend. ``before`` runs before each repeat and is not timed.
    """

    statement: str = "pass"
    names: Mapping[str, object] = field(default_factory=dict)
    before: Callable[[], object] = int


@dataclass(frozen=True, slots=True)
class Cost:
    """Nanoseconds a call: warm, net of the empty loop; cold, the median net of the clock, None when not asked for."""

    minimum: float
    median: float
    cold: float | None = None

    def beyond(self, base: Cost) -> Cost:
        """What this costs more than ``base``.

        >>> Cost(90.0, 95.0).beyond(Cost(40.0, 42.0))
        Cost(minimum=50.0, median=53.0, cold=None)
        """
        cold = None if self.cold is None or base.cold is None else self.cold - base.cold
        return Cost(self.minimum - base.minimum, self.median - base.median, cold)


def walk() -> None:
    """Read one megabyte of other memory, as a bot's own work does between two measurements."""
    _memory.count(b"\x02")


def measure(
    calls: Mapping[str, Call],
    repeats: int,
    cold_samples: int = 0,
    *,
    clock: Clock = time.perf_counter_ns,
    between: Callable[[], object] = walk,
) -> dict[str, Cost]:
    """The cost of each call; all are timed in turn in every repeat, so what disturbs one disturbs all.

    A cold sample is a call after the same call and ``between``. Garbage is not collected meanwhile.
    """
    everything = {**calls, "": Call()}
    collecting = gc.isenabled()
    gc.disable()
    try:
        warm = _warm(everything, repeats, clock)
        cold = _cold(everything, cold_samples, clock, between)
    finally:
        if collecting:
            gc.enable()
    return {name: cost(warm[name], cold[name], warm[""], cold[""]) for name in calls}


def cost(warm: list[float], cold: list[float], empty: list[float], clock_alone: list[float]) -> Cost:
    """What repeats and cold samples of a call come to, beside those of the empty loop and of the clock alone.

    >>> cost([12.0, 11.0, 30.0], [90.0, 100.0, 110.0], [3.0, 1.0], [40.0, 42.0, 90.0])
    Cost(minimum=10.0, median=11.0, cold=58.0)
    """
    return Cost(
        min(warm) - min(empty),
        statistics.median(warm) - min(empty),
        statistics.median(cold) - statistics.median(clock_alone) if cold else None,
    )


def names_in(statement: str) -> list[str]:
    """The names a statement reads and does not make itself, in order of appearance.

    >>> names_in("token = timer.time(); token.stop(); counter.add(1, attributes)")
    ['timer', 'counter', 'attributes']
    """
    names = [node for node in ast.walk(_parsed(statement)) if isinstance(node, ast.Name)]
    made = {node.id for node in names if isinstance(node.ctx, ast.Store)}
    names.sort(key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(node.id for node in names if node.id not in made))


def compiled_loop(call: Call) -> Callable[[int, Clock], int]:
    """A function that runs the statement so many times, and returns the nanoseconds it took."""
    return _compiled(call, "for _ in _rounds:\n{body}")


def rounds_in(nanoseconds: int, loop: Callable[[int, Clock], int], clock: Clock) -> int:
    """How many rounds of a loop take about that long."""
    return max(1, _TRIAL * nanoseconds // max(1, loop(_TRIAL, clock)))


def _warm(calls: Mapping[str, Call], repeats: int, clock: Clock) -> dict[str, list[float]]:
    loops = {name: compiled_loop(call) for name, call in calls.items()}
    rounds = {name: min(MOST_ROUNDS, rounds_in(SLICE_NS, loop, clock)) for name, loop in loops.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, loop in loops.items():
            calls[name].before()
            taken[name].append(loop(rounds[name], clock) / rounds[name])
    return taken


def _cold(
    calls: Mapping[str, Call], samples: int, clock: Clock, between: Callable[[], object]
) -> dict[str, list[float]]:
    once = {name: _compiled(call, "if True:\n{body}") for name, call in calls.items()}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(samples):
        for name, sample in once.items():
            calls[name].before()
            sample(1, clock)
            between()
            taken[name].append(sample(1, clock))
    return taken


def _compiled(call: Call, template: str) -> Callable[[int, Clock], int]:
    awaits = any(isinstance(node, ast.Await) for node in ast.walk(_parsed(call.statement)))
    lines = [
        f"{'async ' if awaits else ''}def timed(_rounds, _clock, {', '.join(call.names)}):",
        "    _started = _clock()",
        textwrap.indent(template.format(body=textwrap.indent(call.statement, "    ")), "    "),
        "    return _clock() - _started",
    ]
    made: dict[str, Any] = {}
    exec(compile("\n".join(lines), f"<{call.statement}>", "exec"), made)  # noqa: S102 - statements of our own rows
    timed, values = made["timed"], tuple(call.names.values())
    if awaits:
        return lambda rounds, clock: _finished(timed(repeat(None, rounds), clock, *values))
    return lambda rounds, clock: int(timed(repeat(None, rounds), clock, *values))


def _finished(coroutine: Any) -> int:  # noqa: ANN401 - a coroutine made by exec
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return int(ended.value)
    coroutine.close()
    raise RuntimeError("the statement suspends; only what goes on at once can be timed")


def _parsed(statement: str) -> ast.Module:
    flags = ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    module: ast.Module = compile(statement, "<statement>", "exec", flags)
    return module
