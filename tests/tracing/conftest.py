from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import HealthCheck, settings
from opentelemetry import trace

from tests.tracing.engines import Bench, Name

if TYPE_CHECKING:
    from collections.abc import Iterator

# the machine decides how long an example takes, and a fixed seed makes a failure the same everywhere
settings.register_profile("tracing", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.load_profile("tracing")


class MakeBench(Protocol):
    """Makes a bench of the engine under test."""

    def __call__(self, **options: Any) -> Bench: ...


@pytest.fixture(params=["sdk", "native"])
def engine(request: pytest.FixtureRequest) -> Name:
    """Each of the two engines."""
    name: Name = request.param
    return name


def _benches(engine: Name) -> Iterator[MakeBench]:
    made: list[Bench] = []

    def make(**options: Any) -> Bench:
        made.append(Bench(engine, **options))
        return made[-1]

    yield make
    for bench in made:
        bench.provider.shutdown()


@pytest.fixture
def bench(engine: Name) -> Iterator[MakeBench]:
    """Make benches of either engine."""
    yield from _benches(engine)


@pytest.fixture
def native() -> Iterator[MakeBench]:
    """Make benches of the native engine, for what the SDK does not have."""
    yield from _benches("native")


@pytest.fixture
def messages() -> Iterator[list[str]]:
    """What either engine reported, as it comes in."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    listener = Listener(logging.WARNING)
    loggers = [logging.getLogger("opentelemetry"), logging.getLogger("otel_trading")]
    for logger in loggers:
        logger.addHandler(listener)
    yield said
    for logger in loggers:
        logger.removeHandler(listener)


@pytest.fixture(autouse=True)
def balanced() -> Iterator[None]:
    """Each test leaves the context as it found it."""
    yield
    assert trace.get_current_span() is trace.INVALID_SPAN
