"""Which libraries the kit instruments, and switching them on."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

from otel_trading.extras import MissingExtraError
from otel_trading.instrument import aiohttp_client
from otel_trading.settings import Problem

Undo = Callable[[], None]

LIBRARIES: dict[str, tuple[str, Callable[..., Undo]]] = {
    "aiohttp-client": ("opentelemetry.instrumentation.aiohttp_client", aiohttp_client.instrument),
}
"""Name in the ``instrument`` option: the module it needs, and what instruments it."""


def instrument(names: tuple[str, ...], **providers: object) -> tuple[list[Undo], list[Problem | str]]:
    """Instrument the named libraries; ``auto`` means all whose instrumentation is installed."""
    undo: list[Undo] = []
    problems: list[Problem | str] = []
    for name in dict.fromkeys(_expanded(names)):
        if name not in LIBRARIES:
            allowed = ", ".join(["auto", "none", *LIBRARIES])
            problems.append(Problem("instrument", name, allowed, "the others", "argument, environment or file"))
            continue
        try:
            undo.append(LIBRARIES[name][1](**providers))
        except MissingExtraError as error:
            problems.append(f"{name} is not instrumented: {error}")
        except Exception as error:
            problems.append(f"{name} is not instrumented: {type(error).__name__}: {error}")
    return undo, problems


def _expanded(names: tuple[str, ...]) -> list[str]:
    expanded: list[str] = []
    for name in names:
        if name == "auto":
            expanded += [library for library, (module, _) in LIBRARIES.items() if _installed(module)]
        elif name != "none":
            expanded.append(name)
    return expanded


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
