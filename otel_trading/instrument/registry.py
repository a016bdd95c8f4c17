"""Which libraries the kit instruments, and switching them on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from otel_trading.extras import MissingExtraError
from otel_trading.imports import when_imported
from otel_trading.instrument.http.stability import choose_conventions
from otel_trading.settings import Problem, report

if TYPE_CHECKING:
    from types import ModuleType

Undo = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Own:
    """A library that the kit itself instruments: its module, and what does it."""

    module: str
    instrumentation: str
    instrumentor: str

    def start(self) -> Undo:
        """Instrument it, unless the bot has."""
        instrumentor = getattr(import_module(self.instrumentation), self.instrumentor)()
        if instrumentor.is_instrumented_by_opentelemetry:
            return lambda: None
        instrumentor.instrument()
        uninstrument: Undo = instrumentor.uninstrument
        return uninstrument


@dataclass(frozen=True, slots=True)
class Library:
    """A library that contrib instruments by our rules: the modules of both, the extra that brings it, what does it."""

    module: str
    instrumentation: str
    extra: str
    instrumentor: str

    def start(self) -> Undo:
        """Instrument it, unless the bot has."""
        return Own(self.module, f"{_HERE}.http", self.instrumentor).start()


_HERE = "otel_trading.instrument"
OWN = {
    "ccxt": Own("ccxt", f"{_HERE}.ccxt", "CcxtInstrumentor"),
    "websockets": Own("websockets", f"{_HERE}.websockets", "WebSocketsInstrumentor"),
    "aiohttp-websocket": Own("aiohttp", f"{_HERE}.aiohttp_websocket", "AiohttpWebSocketInstrumentor"),
    "nautilus-trader": Own("nautilus_trader", f"{_HERE}.nautilus", "NautilusInstrumentor"),
    "freqtrade": Own("freqtrade", f"{_HERE}.freqtrade", "FreqtradeInstrumentor"),
    "hummingbot": Own("hummingbot", f"{_HERE}.hummingbot", "HummingbotInstrumentor"),
    "asyncio": Own("asyncio", f"{_HERE}.asyncio_runtime", "AsyncioInstrumentor"),
}
"""By their names in the ``instrument`` option; these need nothing but the library."""

_CONTRIB = "opentelemetry.instrumentation"
LIBRARIES = {
    "aiohttp-client": Library("aiohttp", f"{_CONTRIB}.aiohttp_client", "aiohttp", "AiohttpClientInstrumentor"),
    "httpx": Library("httpx", f"{_CONTRIB}.httpx", "httpx", "HttpxInstrumentor"),
    "requests": Library("requests", f"{_CONTRIB}.requests", "requests", "RequestsInstrumentor"),
    "urllib3": Library("urllib3", f"{_CONTRIB}.urllib3", "urllib3", "Urllib3Instrumentor"),
}
"""By their names in the ``instrument`` option."""


def instrument(names: tuple[str, ...]) -> tuple[list[Undo], list[Problem | str]]:
    """Instrument the named libraries as soon as they are imported; ``auto`` means all that can be."""
    undo: list[Undo] = []
    problems: list[Problem | str] = []
    wanted = list(dict.fromkeys(_expanded(names)))
    if any(name in LIBRARIES and _installed(LIBRARIES[name].instrumentation) for name in wanted):
        try:
            choose_conventions()  # which the first instrumentation of all settles
        except Exception as error:
            problems.append(f"requests are told by contrib's older conventions: {type(error).__name__}: {error}")
    for name in wanted:
        if name in OWN:
            undo += _own(name, problems)
            continue
        if name not in LIBRARIES:
            allowed = ", ".join(["auto", "none", *OWN, *LIBRARIES])
            problems.append(Problem("instrument", name, allowed, "the others", "argument, environment or file"))
            continue
        library = LIBRARIES[name]
        if not _installed(library.instrumentation):
            problems.append(
                f"{name} is not instrumented: {MissingExtraError.of(library.instrumentation, library.extra)}"
            )
            continue
        undo.append(_once_imported(name, library))
    return undo, problems


def _own(name: str, problems: list[Problem | str]) -> list[Undo]:
    """Instrument it once it is imported."""
    library = OWN[name]
    if not _installed(library.module):
        problems.append(f"{name} is not instrumented: {library.module} is not installed")
        return []
    undo: list[Undo] = []

    def start(_: ModuleType) -> None:
        try:
            undo.append(library.start())
        except Exception as error:
            report(f"{name} is not instrumented: {type(error).__name__}: {error}")

    undo.append(when_imported(library.module, start))

    def take_back() -> None:
        while undo:
            undo.pop()()

    return [take_back]


def _once_imported(name: str, library: Library) -> Undo:
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
            undo.append(library.start())
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
            expanded += [known for known, library in OWN.items() if _installed(library.module)]
            expanded += [known for known, library in LIBRARIES.items() if _installed(library.instrumentation)]
        elif name != "none":
            expanded.append(name)
    return expanded


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
