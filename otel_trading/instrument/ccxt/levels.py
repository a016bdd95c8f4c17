"""The methods of ccxt's classes, wherever in the tree of classes they are defined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from otel_trading.instrument.patching import Patches

_SPELLINGS = {"ohlcv": "OHLCV"}


def camel(name: str) -> str:
    """How ccxt calls a method, too.

    >>> camel("create_order_ws")
    'createOrderWs'
    """
    first, *rest = name.split("_")
    return first + "".join(_SPELLINGS.get(part, part.capitalize()) for part in rest)


class Levels:
    """Replaces methods in every class that defines them: exchanges override each other's, and call ``super()``.

    While an exchange is made, ccxt gives its class a second name in camel case for each method. A replaced method is
    the same object under all its names and in all its classes, and all of them are put back.
    """

    def __init__(self, patches: Patches, make: Mapping[str, Callable[[Any], Any]]) -> None:
        self._patches = patches
        self._make = {spelling: making for name, making in make.items() for spelling in (name, camel(name))}
        self._made: dict[Any, Any] = {}
        self._ours: set[Any] = set()
        self._seen: set[type] = set()
        self._bases: list[type] = []
        patches.afterwards(self._sweep)

    def cover(self, kind: type) -> None:
        """Replace what this class and those above it define; done once for each of them."""
        for each in kind.__mro__:
            if each not in self._seen and each is not object:
                self._seen.add(each)
                for name in self._make.keys() & vars(each).keys():
                    self._patches.wrap(each, name, self._replacing(vars(each)[name], self._make[name]))

    def cover_used(self, base: type) -> None:
        """Cover the class all exchanges come from, and those of exchanges that were made already."""
        self._bases.append(base)
        self.cover(base)
        aliases = {name for name in self._make if "_" not in name}
        for each in _tree(base):
            if not aliases.isdisjoint(vars(each)):
                self.cover(each)

    def _replacing(self, own: Any, make: Callable[[Any], Any]) -> Callable[[Any], Any]:  # noqa: ANN401 - any method
        def replacement(_: Any) -> Any:  # noqa: ANN401
            if own in self._ours:
                return own
            made = self._made.get(own)
            if made is None:
                made = self._made[own] = make(own)
                self._ours.add(made)
            return made

        return replacement

    def _sweep(self) -> None:
        """Put the originals back under the names, too, that ccxt gave them meanwhile."""
        originals = {made: own for own, made in self._made.items()}
        for kind in self._seen.union(*map(_tree, self._bases)):
            for name in self._make.keys() & vars(kind).keys():
                own = originals.get(vars(kind)[name])
                if own is not None:
                    setattr(kind, name, own)


def _tree(base: type) -> Iterator[type]:
    seen = {base}
    waiting: list[type] = [base]
    while waiting:
        kind = waiting.pop()
        yield kind
        below: list[type] = kind.__subclasses__()
        fresh = [each for each in below if each not in seen]
        seen.update(fresh)
        waiting += fresh
