"""What holds for all instrumentations holds for those of contrib under our rules; entry points are contrib's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from otel_trading.testing.errors import NotCapturedError
from tests.instrument.conformance.test_conformance import (
    instrumented,
    telemetry,
    test_a_second_time_changes_nothing,
    test_counts_are_exact,
    test_counts_are_exact_in_threads,
    test_errors_are_the_librarys_own,
    test_hooks_that_raise_do_no_harm,
    test_no_span_stays_open,
    test_off_it_counts_nothing,
    test_suppressed_it_counts_nothing,
    test_uninstrumented_it_is_as_before,
)
from tests.instrument.http.clients import CLIENTS, Client
from tests.instrument.http.server import nobody, venue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured
    from tests.instrument.http.server import Venue

__all__ = [
    "instrumented",
    "telemetry",
    "test_a_second_time_changes_nothing",
    "test_counts_are_exact",
    "test_counts_are_exact_in_threads",
    "test_errors_are_the_librarys_own",
    "test_hooks_that_raise_do_no_harm",
    "test_no_span_stays_open",
    "test_off_it_counts_nothing",
    "test_suppressed_it_counts_nothing",
    "test_uninstrumented_it_is_as_before",
]

DURATION = "http.client.request.duration"


class Case:
    """A client that asks a venue on loopback."""

    many = 300
    parallel = True
    installed = True

    def __init__(self, client: Client, asked: Venue) -> None:
        self.name = client.name
        self.instrumentor = client.instrumentor
        self.originals = client.originals
        self.hooks = client.hooks
        self.error = client.error
        self._ask = client.ask
        self._venue = asked
        self._nowhere = nobody()

    def work(self, count: int) -> None:
        """Ask so many times."""
        assert self._ask("GET", f"{self._venue.url}/api/v3/order", count) == [200] * count

    def fail(self) -> None:
        """Ask where nobody is."""
        self._ask("GET", f"{self._nowhere}/api/v3/order")

    def counted(self, telemetry: Captured) -> int:
        """All requests."""
        try:
            return telemetry.metrics[DURATION].count
        except NotCapturedError:
            return 0

    def failures(self, telemetry: Captured) -> int:
        """Those with an error."""
        try:
            points = telemetry.metrics[DURATION].points
        except NotCapturedError:
            return 0
        return sum(
            point.distribution.count for point in points if point.distribution and "error.type" in point.attributes
        )


@pytest.fixture(params=CLIENTS, ids=lambda client: client.name)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """A library that is not instrumented yet, and is not afterwards."""
    with venue() as asked:
        made = Case(request.param, asked)
        instrumentor = made.instrumentor()
        yield made
        if instrumentor.is_instrumented_by_opentelemetry:
            instrumentor.uninstrument()
