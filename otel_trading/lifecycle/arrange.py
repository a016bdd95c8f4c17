"""In which order steps are done."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from otel_trading.lifecycle.model import BODY, FLUSH, KNOWN, STOP_NEW_ORDERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.lifecycle.model import Step

_RANK = {name: rank for rank, name in enumerate(KNOWN)}


def arranged(steps: Sequence[Step]) -> tuple[list[Step], list[str]]:
    """The steps in their order, and what is wrong with their wishes.

    Known names have their place. Another step comes after the one that was given before it, unless its ``after`` or
    ``before`` says where it wants to be. Wishes that cannot be met are said and left out; each step comes once.

    >>> from otel_trading.lifecycle.model import Step
    >>> given = [Step(name, print) for name in ("save_state", "upload", "cancel_orders")]
    >>> steps, problems = arranged([*given, Step("drain", print, after="cancel_orders", before="save_state")])
    >>> [step.name for step in steps], problems
    (['cancel_orders', 'drain', 'save_state', 'upload'], [])
    """
    problems: list[str] = []
    keys = _keys(steps)
    wanted = _wanted(steps, problems)
    while True:
        try:
            return _sorted(steps, keys, wanted), problems
        except CycleError as error:
            members = set(error.args[1])
            names = " and ".join(dict.fromkeys(steps[number].name for number in sorted(members)))
            problems.append(f"the steps {names} wait for each other: their after and before are left out")
            wanted = {pair for pair in wanted if not set(pair) <= members}


def _keys(steps: Sequence[Step]) -> list[tuple[int, int]]:
    """Where each step would be without wishes."""
    ranks = {step.name: _RANK[step.name] for step in steps if step.name in _RANK}
    keys: list[tuple[int, int]] = []
    rank = _RANK[STOP_NEW_ORDERS]
    for number, step in enumerate(steps):
        if step.name in _RANK:
            rank = ranks[step.name]
        else:
            near = [ranks[name] for name in step.after if name in ranks]
            later = [ranks[name] for name in step.before if name in ranks]
            if near:
                rank = max(near)
            elif later:
                rank = max(0, min(later) - 1)
        keys.append((min(rank, _RANK[FLUSH] - 1) if step.name != FLUSH else rank, number))
    return keys


def _wanted(steps: Sequence[Step], problems: list[str]) -> set[tuple[int, int]]:
    """Pairs of numbers: the first comes before the second."""
    by_name: dict[str, list[int]] = {}
    for number, step in enumerate(steps):
        by_name.setdefault(step.name, []).append(number)
    pairs: set[tuple[int, int]] = set()
    for number, step in enumerate(steps):
        for word, names in (("after", step.after), ("before", step.before)):
            for name in names:
                if name not in by_name and name not in _RANK:
                    known = ", ".join(dict.fromkeys((*by_name, *KNOWN)))
                    problems.append(f"{word}={name!r} of the step {step.name} is no step; there are {known}")
                for other in by_name.get(name, ()):
                    if other != number:
                        pairs.add((other, number) if word == "after" else (number, other))
    return pairs


def _sorted(steps: Sequence[Step], keys: list[tuple[int, int]], wanted: set[tuple[int, int]]) -> list[Step]:
    """Of those that may come next, always the one with the lowest key."""
    sorter: TopologicalSorter[int] = TopologicalSorter(dict.fromkeys(range(len(steps)), ()))
    for first, second in wanted:
        sorter.add(second, first)
    sorter.prepare()
    done: list[Step] = []
    ready: list[int] = []
    while sorter.is_active():
        ready += sorter.get_ready()
        ready.sort(key=lambda number: keys[number])
        number = ready.pop(0)
        done.append(steps[number])
        sorter.done(number)
    return done


def while_running(step: Step) -> bool:
    """Whether a step is done before the block's body has ended."""
    return _RANK.get(step.name, len(KNOWN)) < _RANK[BODY]
