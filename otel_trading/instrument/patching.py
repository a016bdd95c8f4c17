"""Replacing parts of a library while it is instrumented, and putting back what was there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_ABSENT = object()


class Patches:
    """What was replaced, so that it can be put back.

    >>> class Client:
    ...     def receive(self):
    ...         return "frame"
    >>> original = Client.receive
    >>> patches = Patches()
    >>> patches.wrap(Client, "receive", lambda receive: lambda self: f"measured {receive(self)}")
    >>> Client().receive()
    'measured frame'
    >>> patches.undo()
    >>> Client.receive is original
    True
    """

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []
        self._undo: list[Callable[[], None]] = []

    def wrap(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:  # noqa: ANN401 - classes, modules, objects
        """Put what ``make`` makes of an attribute in its place; owners that do not have it are left alone.

        An inherited method is replaced where ``owner`` is, not where it was inherited from.
        """
        original = getattr(owner, name, _ABSENT)
        if original is _ABSENT:
            return
        own = vars(owner).get(name, _ABSENT)
        replacement = make(original)
        setattr(owner, name, replacement)
        self._done.append((owner, name, own, vars(owner)[name]))

    def afterwards(self, undo: Callable[[], None]) -> None:
        """Call this, too, when all is put back."""
        self._undo.append(undo)

    def undo(self) -> None:
        """Put everything back, the last first; what somebody else replaced since stays as theirs."""
        while self._undo:
            self._undo.pop()()
        while self._done:
            owner, name, own, ours = self._done.pop()
            if vars(owner).get(name, _ABSENT) is not ours:
                continue
            if own is _ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, own)
