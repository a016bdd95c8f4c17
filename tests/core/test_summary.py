from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

import pytest

from otel_trading.export.summary import Level, Summary, Timing, Total, read, show, text
from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_trading.testing import Captured


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """A bot that ran for two minutes."""
    with capture() as captured:
        meter = captured.meter
        stages = meter.create_histogram("trading.stage.duration", "s")
        over = meter.create_counter("trading.stage.budget.violations", "{violation}")
        for step in range(1, 1_001):
            stages.record(step / 10_000, {"trading.stage.name": "candle_processing"})
        over.add(500, {"trading.stage.name": "candle_processing"})
        stages.record(0.001, {"trading.stage.name": "order_fill"})
        frames = meter.create_counter("trading.venue.messages", "{message}")
        frames.add(1_200, {"trading.venue.name": "binance"})
        meter.create_gauge("strategy.memory.usage", "By").set(3 * 1_048_576)
        meter.create_up_down_counter("trading.pnl.realized", "{currency}").add(-12.5)
        captured.advance(120)
        yield captured


def test_rows_are_read_from_what_was_collected(telemetry: Captured) -> None:
    """Counts, rates and percentiles by series, the busiest first; violations from the counter beside the timer."""
    summary = read(telemetry.metrics.data, {"candle_processing": 0.05})
    candles, fills = summary.timings
    assert (candles.name, candles.unit) == ("trading.stage.duration{stage=candle_processing}", "s")
    assert [candles.count, candles.rate, candles.max] == pytest.approx([1_000, 1_000 / 120, 0.1])
    measured = [candles.p50, candles.p95, candles.p99, candles.p999]
    assert measured == pytest.approx([0.05, 0.095, 0.099, 0.0999], rel=0.01)
    assert (candles.budget, candles.violations) == (0.05, 500)
    assert (fills.name, fills.budget, fills.violations) == ("trading.stage.duration{stage=order_fill}", None, None)
    assert summary.totals == (Total("trading.venue.messages{venue=binance}", "{message}", 1_200, 10.0),)
    assert summary.levels == (
        Level("strategy.memory.usage", "By", 3 * 1_048_576),
        Level("trading.pnl.realized", "{currency}", -12.5),
    )
    assert (summary.seconds, summary.drops) == (120, ())


def test_a_timers_violations_are_beside_it() -> None:
    """A timer's row shows how often its budget was exceeded."""
    with capture() as telemetry:
        decide = telemetry.timer("bot.decide.late", budget=0.1, attributes={"venue": "binance"})
        decide.record(0.9)
        decide.record(0.01)
        (row,) = read(telemetry.metrics.data, {"bot.decide.late": 0.1}).timings
    assert (row.name, row.violations, row.budget) == ("bot.decide.late{venue=binance}", 1, 0.1)


def test_the_text_lines_up(telemetry: Captured) -> None:
    """The report in full, as it is read in a log or a file."""
    lines = text(read(telemetry.metrics.data, {"candle_processing": 0.05})).splitlines()
    assert lines[0] == "SUMMARY of 2 min 00 s"
    header, candles, fills = lines[2:5]
    assert " ".join(header.split()) == "Timings count rate/s p50 p95 p99 p99.9 max budget over budget"
    assert candles.split()[1:4] == ["1,000", "8.33", "50.0"]
    assert candles.endswith("50.0 ms  500 (50.00%)")
    assert fills.split()[-2:] == ["-", "-"]
    assert len(header) == len(candles) == len(fills)
    assert lines[6:] == [
        "Counters                               total  rate/s",
        "trading.venue.messages{venue=binance}  1,200    10.0",
        "",
        "Gauges                    value",
        "strategy.memory.usage  3.00 MiB",
        "trading.pnl.realized     -12.50",
        "",
        "Nothing was dropped.",
    ]


def test_what_was_dropped_is_said() -> None:
    """Losses end the report, by signal and reason."""
    report = text(Summary(1.0, drops=(("reason=queue_full signal=traces", 3),)))
    assert report.endswith("\n\nDropped: 3 of reason=queue_full signal=traces")


def test_drops_are_read_from_what_telemetry_says_of_itself() -> None:
    """A value that is no number is lost, and shows in the report."""
    with capture() as telemetry:
        telemetry.meter.create_counter("bot.frames").add("three")  # type: ignore[arg-type]
        summary = read(telemetry.metrics.data)
    assert list(summary.drops) == [("lane=important reason=invalid_value signal=metrics", 1)]
    assert [total for total in summary.totals if total.name.startswith("bot.")] == []


def test_nothing_collected_is_an_empty_report() -> None:
    """Without metrics there is a report that says so little."""
    assert text(read(None)) == "SUMMARY of 0 s\n\nNothing was dropped."


def test_many_rows_are_cut() -> None:
    """A table shows its busiest rows and how many more there are."""
    totals = tuple(Total(f"bot.{place}", "", 100 - place, None) for place in range(7))
    lines = text(Summary(1.0, totals=totals), most=5).splitlines()
    assert lines[3].split() == ["bot.0", "100", "-"]
    assert lines[8] == "… and 2 more"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


ROW = Timing("trading.stage.duration{stage=candle_processing}", "s", 1_000, 8.3, *(0.05, 0.09, 0.1, 0.1, 0.1), 0.05, 3)


def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a violated budget is red; elsewhere the text is plain."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, file = Terminal(), io.StringIO()
    for stream in (terminal, file):
        show(Summary(120.0, (ROW,)), stream)
    assert re.search(r"\x1b\[1;31m *3 \(0\.30%\)\x1b\[0m", terminal.getvalue())
    assert file.getvalue() == text(Summary(120.0, (ROW,))) + "\n"


def test_a_narrow_terminal_leaves_out_what_is_dispensable(monkeypatch: pytest.MonkeyPatch) -> None:
    """At eighty columns no number is cut; the rate and some percentiles go."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    terminal = Terminal()
    show(Summary(120.0, (ROW,)), terminal)
    shown = terminal.getvalue()
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "…" not in shown
    assert all(word in shown for word in ("1,000", "p95", "90.0 ms", "3 (0.30%)", "stage=candle_processing"))
    assert "rate/s" not in shown


def test_without_rich_a_terminal_gets_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report needs no extra."""
    monkeypatch.setattr("otel_trading.export.summary.find_spec", {}.get)
    terminal = Terminal()
    show(Summary(120.0, (ROW,)), terminal)
    assert terminal.getvalue() == text(Summary(120.0, (ROW,))) + "\n"
