"""The cases: one file beside each instrumentation's own tests."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from opentelemetry.instrumentation.instrumentor import BaseInstrumentor  # type: ignore[attr-defined]

    from otel_trading.testing import Captured


class Case(Protocol):
    """A library in use, with what it needs running beside it."""

    name: str
    """The entry point's."""
    instrumentor: type[BaseInstrumentor]
    originals: tuple[tuple[object, str], ...]
    """What is replaced while it is instrumented: owners and attributes."""
    hooks: tuple[str, ...]
    """Keywords of ``instrument()`` that take functions of the user's."""
    error: type[BaseException]
    """What ``fail`` raises out of the library."""
    many: int
    """Operations that it can do at once: 300, unless the library or the venue behind it has a limit."""
    parallel: bool
    """Whether several threads may use the library at once."""
    installed: bool
    """Whether it is the library itself, and no stand-in."""

    def work(self, count: int) -> None:
        """Do so many operations."""

    def fail(self) -> None:
        """Do one that fails."""

    def counted(self, telemetry: Captured) -> int:
        """How many operations telemetry has counted, those that failed included."""
        ...

    def failures(self, telemetry: Captured) -> int:
        """How many of these failed by it."""
        ...


def cases() -> dict[str, Callable[[], AbstractContextManager[Case]]]:
    """What starts each case, by the name of its folder."""
    here = Path(__file__).parents[1]
    return {
        file.parent.name: import_module(f"tests.instrument.{file.parent.name}.case").case
        for file in sorted(here.glob("*/case.py"))
    }
