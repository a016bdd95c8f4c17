from __future__ import annotations

import pytest

pytest_plugins = ("pytester",)

PLUGIN = "from otel_trading_pytest import *"


@pytest.fixture
def users(pytester: pytest.Pytester) -> pytest.Pytester:
    """The test folder of somebody who installed the kit."""
    pytester.makeconftest(PLUGIN)
    return pytester


def test_the_fixture_captures_a_bot(users: pytest.Pytester) -> None:
    """A user's test needs nothing but the fixture's name; the marker takes its options."""
    users.makepyfile(
        """
        import pytest
        from pytest import approx

        def run_bot(telemetry, fill_delay):
            fills = telemetry.meter.create_histogram("trading.order.fill.duration", "s")
            started = telemetry.clock.perf_counter()
            telemetry.advance(fill_delay)
            fills.record(telemetry.clock.perf_counter() - started)

        def test_slow_fill_is_reported(telemetry):
            run_bot(telemetry, fill_delay=0.9)
            assert telemetry.metrics["trading.order.fill.duration"].p99 == approx(0.9, rel=0.01)

        @pytest.mark.telemetry(deterministic_ids=True)
        def test_ids(telemetry):
            telemetry.tracer.start_span("tick").end()
            assert int(telemetry.traces[0].trace_id, 16) == 1
        """
    )
    users.runpytest_subprocess(
        "--strict-markers", "-W", "error", "-p", "no:cacheprovider", "-p", "no:asyncio"
    ).assert_outcomes(passed=2)


def test_a_missing_metric_fails_with_what_was_captured(users: pytest.Pytester) -> None:
    """The failure that a user reads lists the metrics there are."""
    users.makepyfile(
        """
        def test_bot(telemetry):
            telemetry.meter.create_counter("bot.frames").add(1)
            assert telemetry.metrics["bot.frame"].value == 1
        """
    )
    result = users.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*no metric 'bot.frame' was captured; did you mean 'bot.frames'?*"])


def test_who_does_not_use_it_is_not_disturbed(users: pytest.Pytester) -> None:
    """Without the fixture nothing of the kit is imported, and logging stays as pytest set it up."""
    users.makepyfile(
        """
        import logging, sys

        def test_own(caplog):
            logging.getLogger("bot").info("quiet")
            assert caplog.records == []
            assert "otel_trading_pytest" in sys.modules
            assert not {"otel_trading", "opentelemetry", "pydantic"} & set(sys.modules)
        """
    )
    users.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
