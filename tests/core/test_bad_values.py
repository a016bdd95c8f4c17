"""The table of wrong values: each row goes through ``configure()`` to a receiver, between values that are all right.

Nothing raises into the bot, everything else arrives, and the log is not flooded. What becomes of the wrong value itself
is tested where it is handled: ``tests/metrics/test_wrong_input``, ``tests/tracing/test_wrong_input`` and
``tests/tracing/test_attributes``; callbacks, processors and logging calls in ``test_isolation``; what is wrong in the
environment in ``test_bad_environment``.
"""

from __future__ import annotations

import logging
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading import Telemetry
    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver

    Row = Callable[[Telemetry], object]


class Mute:
    """Cannot be shown."""

    def __str__(self) -> str:
        raise ZeroDivisionError

    __repr__ = __str__


def span(**given: Any) -> Row:
    """A row that starts and ends a span."""
    return lambda telemetry: telemetry.tracer.start_span(**{"name": "wrong", **given}).end()


def measured(kind: str, method: str, *values: Any) -> Row:
    """A row that measures."""

    def measure(telemetry: Telemetry) -> None:
        instrument = getattr(telemetry.meter, f"create_{kind}")(f"wrong.{kind}.{ROW.pop()}")
        for value in values:
            getattr(instrument, method)(value)

    return measure


def logged(message: Any, **extra: Any) -> Row:
    """A row that logs."""
    return lambda _: logging.getLogger("bot").warning(message, extra=extra)


ROW = list(range(99))
"""Numbers for names: instruments are the process's."""
METRICS: dict[str, Row] = {
    "counter of an integer beyond 64 bits": measured("counter", "add", 10**19),
    "gauge of an integer beyond 64 bits": measured("gauge", "set", 10**19),
    "counter of no number": measured("counter", "add", float("nan"), None, "1"),
    "counter of a negative number": measured("counter", "add", -1),
    "histogram of no number": measured("histogram", "record", float("nan"), 10**400),
    "histogram of a negative number": measured("histogram", "record", -0.5),
    "a Decimal, then a float": measured("counter", "add", Decimal("0.1"), 0.1),
    "a name with a blank": lambda telemetry: telemetry.meter.create_counter("wrong name").add(1),
    "a name that begins with a digit": lambda telemetry: telemetry.meter.create_counter("9lives").add(1),
    "a unit that is too long": lambda telemetry: telemetry.meter.create_counter("wrong.unit", "x" * 64).add(1),
}
SPANS: dict[str, Row] = {
    "attribute of an integer beyond 64 bits": span(attributes={"k": 10**19}),
    "attribute with a lone surrogate": span(attributes={"k": "a\ud800"}),
    "attribute that cannot be shown": span(attributes={"k": Mute()}),
    "attribute that is a Decimal": span(attributes={"k": Decimal("0.1")}),
    "attributes that are a list": span(attributes=["k"]),
    "a name that is a number": span(name=5),
    "a name with a lone surrogate": span(name="a\ud800"),
    "a start in seconds": span(start_time=time.time()),
    "a thousand attributes": span(attributes={f"k{number}": number for number in range(1_000)}),
    "a hundred attributes of a megabyte": span(attributes={f"k{number}": "x" * 2**20 for number in range(100)}),
    "an attribute of a hundred megabytes": span(attributes={"k": "x" * (100 * 2**20)}),
}
LOGS: dict[str, Row] = {
    "extra of an integer beyond 64 bits": logged("wrong", k=10**19),
    "extra with a lone surrogate": logged("wrong", k="a\ud800"),
    "extra that cannot be shown": logged("wrong", k=Mute()),
    "extra that is a Decimal": logged("wrong", k=Decimal("0.1")),
    "a body with a lone surrogate": logged("wrong \ud800"),
    "a body of a megabyte": logged("wrong" * 200_000),
}


OF_THE_TEST_BEFORE = ("comes after engine=native", "for the next start")


def right(telemetry: Telemetry, number: int) -> None:
    """What is all right, and has to arrive."""
    telemetry.tracer.start_span(f"right {number}").end()
    telemetry.meter.create_counter("right").add(1)
    logging.getLogger("bot").warning("right %d", number)


@pytest.mark.parametrize("engine", ["native", "sdk"])
@pytest.mark.parametrize("what", [*METRICS, *SPANS, *LOGS])
def test_a_wrong_value_costs_itself(
    configured: Configure,
    receiver: OtlpReceiver,
    caplog: pytest.LogCaptureFixture,
    engine: str,
    what: str,
) -> None:
    """Several times, among others."""
    row = {**METRICS, **SPANS, **LOGS}[what]
    telemetry = configured(engine=engine)
    for number in range(4):
        right(telemetry, number)
        row(telemetry)
    right(telemetry, 4)
    if engine == "sdk" and what in SPANS:
        return  # the SDK's encoder complains each time, and gives up whole batches
    assert telemetry.flush(30)
    said = [record.getMessage() for record in caplog.records if record.name != "bot"]
    told = [message for message in said if not any(part in message for part in OF_THE_TEST_BEFORE)]
    assert len(told) <= 2, told
    rights = {f"right {number}" for number in range(5)}
    assert {found.name for found in receiver.spans} >= rights
    assert {record.body.string_value for record in receiver.logs} >= rights
    assert receiver.metrics("right")[-1].sum.data_points[0].as_int == 5
    account = telemetry.status().signals
    assert [each.pending for each in account.values()] == [0, 0, 0]
