"""Which libraries the kit instruments, and switching them on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from otel_trading.extras import MissingExtraError
from otel_trading.imports import when_imported
from otel_trading.instrument import aiohttp_client
from otel_trading.settings import Problem, report

if TYPE_CHECKING:
    from types import ModuleType

Undo = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Library:
    """A library, the module that instruments it, the extra that brings this, and what does it."""

    module: str
    instrumentation: str
    extra: str
    prepare: Callable[[], None]
    start: Callable[..., Undo]


LIBRARIES = {
    "aiohttp-client": Library(
        "aiohttp",
        "opentelemetry.instrumentation.aiohttp_client",
        "aiohttp",
        aiohttp_client.choose_conventions,
        aiohttp_client.instrument,
    ),
}
"""By their names in the ``instrument`` option."""


def instrument(names: tuple[str, ...], **providers: object) -> tuple[list[Undo], list[Problem | str]]:
    """Instrument the named libraries as soon as they are imported; ``auto`` means all that can be."""
    undo: list[Undo] = []
    problems: list[Problem | str] = []
    for name in dict.fromkeys(_expanded(names)):
        if name not in LIBRARIES:
            allowed = ", ".join(["auto", "none", *LIBRARIES])
            problems.append(Problem("instrument", name, allowed, "the others", "argument, environment or file"))
            continue
        library = LIBRARIES[name]
        if not _installed(library.instrumentation):
            problems.append(
                f"{name} is not instrumented: {MissingExtraError.of(library.instrumentation, library.extra)}"
            )
            continue
        try:
            library.prepare()
        except Exception as error:
            problems.append(f"{name} is not instrumented: {type(error).__name__}: {error}")
            continue
        undo.append(_once_imported(name, library, providers))
    return undo, problems


def _once_imported(name: str, library: Library, providers: dict[str, object]) -> Undo:
    """Nobody pays for the instrumentation of a library that is not used.

    What brings the library in brings the instrumentation in, and that starts as soon as it is complete. It is not
    started from the library's own import: when another thread imports the instrumentation, which imports the library,
    each would wait for the other, and Python would hand out a half-made module.
    """
    undo: list[Undo] = []

    def failed(error: Exception) -> None:
        report(f"{name} is not instrumented: {type(error).__name__}: {error}")

    def bring(_: ModuleType) -> None:
        try:
            import_module(library.instrumentation)
        except Exception as error:  # the import of the library itself must not fail
            if type(error).__name__ != "_DeadlockError":  # then another thread is bringing it in
                failed(error)

    def start(_: ModuleType) -> None:
        try:
            undo.append(library.start(**providers))
        except Exception as error:
            failed(error)

    undo.append(when_imported(library.instrumentation, start))
    undo.append(when_imported(library.module, bring))

    def take_back() -> None:
        while undo:
            undo.pop()()

    return take_back


def _expanded(names: tuple[str, ...]) -> list[str]:
    expanded: list[str] = []
    for name in names:
        if name == "auto":
            expanded += [known for known, library in LIBRARIES.items() if _installed(library.instrumentation)]
        elif name != "none":
            expanded.append(name)
    return expanded


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
