"""Doing something with a module as soon as it is imported, without importing it.

wrapt has this too, but it imports asyncio and cannot be taken back.
"""

from __future__ import annotations

import importlib
import sys
import threading
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    Hook = Callable[[ModuleType], None]


def when_imported(name: str, hook: Hook) -> Callable[[], None]:
    """Call ``hook`` with the module now if it is imported, else once it is; the result takes this back.

    The hook runs in the thread that imports, before any thread gets the module. Where another thread is importing it
    at this moment, this waits for that.

    >>> when_imported("sys", lambda module: print(module.__name__))()
    sys
    """
    finder = _Finder(name, hook)
    finder.install()
    if sys.modules.get(name) is not None:
        with suppress(ImportError):  # the other thread's import failed; the next one may not
            finder.imported(importlib.import_module(name))
    return finder.remove


class _Finder:
    """Finds one module by asking all others, and has its loader call the hook."""

    def __init__(self, name: str, hook: Hook) -> None:
        self._name = name
        self._hooks = [hook]
        self._asking = threading.local()

    def install(self) -> None:
        """Be asked first."""
        sys.meta_path = [self, *sys.meta_path]

    def remove(self) -> None:
        """Be asked no more; other threads may be going through the list, so it is not changed but replaced."""
        self._hooks.clear()
        sys.meta_path = [each for each in sys.meta_path if each is not self]

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._name or not self._hooks or getattr(self._asking, "now", False):
            return None
        self._asking.now = True
        try:
            spec = find_spec(name)
        finally:
            self._asking.now = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self.imported)  # type: ignore[assignment]  # a loader by its methods
        return spec

    def imported(self, module: ModuleType) -> None:
        """Call the hook unless that was done or taken back."""
        try:
            hook = self._hooks.pop()
        except IndexError:
            return
        self.remove()
        hook(module)


class _Loader:
    """Loads with the module's own loader, puts that back in its place, and then calls."""

    def __init__(self, loader: Any, then: Hook) -> None:  # noqa: ANN401 - any loader
        self._loader = loader
        self._then = then

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._then(module)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._loader, name)
