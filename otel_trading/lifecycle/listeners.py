"""Functions that are told of something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Listeners(Generic[T]):
    """Calls all that were added; what one raises costs the others nothing.

    >>> listeners, heard = Listeners(), []
    >>> undo = listeners.add(heard.append)
    >>> listeners("end"), undo(), listeners("again"), heard
    (None, None, None, ['end'])
    """

    def __init__(self) -> None:
        self._callbacks: tuple[Callable[[T], object], ...] = ()

    def add(self, callback: Callable[[T], object]) -> Callable[[], None]:
        """Have it called from now on; what undoes that."""
        self._callbacks = (*self._callbacks, callback)

        def undo() -> None:
            self._callbacks = tuple(each for each in self._callbacks if each is not callback)

        return undo

    def __iter__(self) -> Iterator[Callable[[T], object]]:
        """Those that are called."""
        return iter(self._callbacks)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._callbacks)

    def __call__(self, value: T) -> None:
        """Tell them."""
        for callback in self._callbacks:
            try:
                callback(value)
            except Exception as error:
                report(f"a listener failed: {type(error).__name__}: {error}")
