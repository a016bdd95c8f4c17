from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.metrics.engines import Bench, Name

if TYPE_CHECKING:
    from collections.abc import Iterator

# the machine decides how long an example takes, and a fixed seed makes a failure the same everywhere
settings.register_profile("metrics", deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
settings.load_profile("metrics")


class MakeBench(Protocol):
    """Makes a bench of the engine under test."""

    def __call__(self, *, views: Any = None, **reader: Any) -> Bench: ...


@pytest.fixture(params=["sdk", "native"])
def engine(request: pytest.FixtureRequest) -> Name:
    """Each of the two engines."""
    name: Name = request.param
    return name


def _benches(engine: Name) -> Iterator[MakeBench]:
    made: list[Bench] = []

    def make(*, views: Any = None, **reader: Any) -> Bench:
        made.append(Bench(engine, views, **reader))
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
def messages(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """What was reported, as it comes in."""
    said: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    listener = Listener()
    logging.getLogger("otel_trading").addHandler(listener)
    yield said
    logging.getLogger("otel_trading").removeHandler(listener)
