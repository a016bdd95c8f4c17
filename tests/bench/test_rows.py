"""Rows, goals and contenders of ``otel_trading.bench``."""

from __future__ import annotations

import functools
import os
import tempfile
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_trading.bench import fresh
from otel_trading.bench.calls import call
from otel_trading.bench.contenders import NONE, OURS, PROMETHEUS, SDK, NotThereError
from otel_trading.bench.contenders.behind_api import Sdk
from otel_trading.bench.contenders.ours import OtelTrading
from otel_trading.bench.contenders.prometheus import Prometheus
from otel_trading.bench.encoding import encoding
from otel_trading.bench.loops import delivery, lag
from otel_trading.bench.model import QUICK, Bench, Goal, Outcome, Row, Section
from otel_trading.bench.rows import ROWS
from otel_trading.bench.run import run
from otel_trading.bench.sink import collector, sink
from otel_trading.bench.spooling import spooling
from otel_trading.bench.starts import start
from otel_trading.bench.threads import threads
from otel_trading.stack.binaries import find_binary

if TYPE_CHECKING:
    from collections.abc import Iterator

TINY = replace(QUICK, repeats=1, cold_samples=2, thread_ns=10_000, processes=1, spans=50, seconds=0.2)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with sink() as endpoint:
        made = Bench(TINY, endpoint)
        yield made
        made.close()


def test_a_goal_is_a_bound_or_a_multiple_of_another_contender() -> None:
    """At most, at least, and beside somebody else's figure; without a figure there is no verdict."""
    figures = {OURS: {"rate": 90.0, "p50": 5.0}, NONE: {"p50": 4.0}}
    assert [
        verdict.met if (verdict := goal.judge(figures)) else None
        for goal in (
            Goal("rate", 90),
            Goal("rate", 89),
            Goal("rate", 100, at_least=True),
            Goal("p50", 1.25, beside=NONE),
            Goal("p50", 1.2, beside=NONE),
            Goal("p50", 1.2, beside=SDK),
            Goal("cold", 1),
        )
    ] == [True, False, False, True, False, None, None]


def test_every_row_has_a_name_of_its_own_and_goals_for_figures_it_shows() -> None:
    """``--only`` can pick each row, and the table can show each verdict."""
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert {goal.figure for goal in row.goals} <= {column.figure for column in row.section.columns}


def test_contenders_are_measured_side_by_side(bench: Bench) -> None:
    """Each contender that can do it has all figures, and the SDK is the measure of the others."""
    row = call("add", sdk="counter.add(1, attributes)", none="counter.add(1, attributes)", goal=12, cold_goal=150)
    assert row.goals == (Goal("minimum_ns", 12), Goal("empty_calls", 2.4), Goal("cold_ns", 150))
    outcome = row.measure(bench)
    assert list(outcome.figures) == [SDK, NONE]
    for figures in outcome.figures.values():
        assert set(figures) == {"minimum_ns", "median_ns", "cold_ns", "times_cheaper", "empty_calls"}
    assert outcome.figures[SDK]["times_cheaper"] == 1.0


def test_what_an_api_lacks_is_left_out_with_its_reason(bench: Bench) -> None:
    """A statement that needs what is not there leaves its contender out; the others are measured."""
    outcome = call("gone", prometheus="no_such_thing(1)", none="plain(1)").measure(bench)
    assert list(outcome.figures) == [NONE]
    assert "no_such_thing" in outcome.left_out[PROMETHEUS]


def test_a_contender_that_fails_leaves_the_others(bench: Bench) -> None:
    """A statement that raises is its contender's failure, and named."""
    outcome = call("raises", prometheus="bound_counter.inc(-1)", none="plain(1)").measure(bench)
    assert list(outcome.figures) == [NONE]
    assert outcome.failed[PROMETHEUS].startswith("ValueError: ")


def test_a_contender_that_is_not_installed_is_left_out(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing distribution is named, in every kind of row."""
    monkeypatch.setattr(Prometheus, "distribution", "no-such-distribution")
    statements = {PROMETHEUS: "bound_counter.inc()", NONE: "counter.add(1)"}
    for row in (call("inc", prometheus="bound_counter.inc()", none="counter.add(1)"), threads("x", statements, goal=2)):
        outcome = row.measure(bench)
        assert list(outcome.figures) == [NONE]
        assert outcome.left_out == {PROMETHEUS: "no-such-distribution is not installed"}


def test_what_a_statement_stands_on_is_taken_off_each_contender(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each contender's own base is the one that its figures are beyond; the goal beside the SDK is a lower bound."""
    for kind, seconds in ((OtelTrading, 0.001), (Sdk, 0.003)):
        monkeypatch.setattr(kind, "step", functools.partial(time.sleep, seconds), raising=False)
    bench.effort = replace(TINY, repeats=20)
    row = call("step", ours="step(); step()", sdk="step(); step()", base="step()", cold=False, cheaper_goal=2)
    assert row.goals == (Goal("times_cheaper", 2, at_least=True),)
    figures = row.measure(bench).figures
    assert figures[OURS]["minimum_ns"] > 0.5e6
    assert figures[SDK]["minimum_ns"] > 1.5e6


def test_encoded_spans_have_their_size(bench: Bench) -> None:
    """The same spans are about as long from either encoder, and what holds the GIL is part of the whole."""
    figures = encoding("x", goals=()).measure(bench).figures
    assert figures[OURS]["bytes"] == pytest.approx(figures[SDK]["bytes"], rel=0.1)
    for contender in (OURS, SDK):
        assert 0 <= figures[contender]["held_ns"] <= figures[contender]["cpu_ns"]


def test_what_is_spooled_is_measured_beside_sqlite(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has all figures, and leaves nothing in the folder for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    outcome = spooling("x", spans=16, goals=()).measure(bench)
    assert outcome.failed == {}
    assert [who.partition(",")[0] for who in outcome.figures] == [OURS, "SQLite", "SQLite"]
    for figures in outcome.figures.values():
        assert figures["per_s"] == pytest.approx(16 / figures["cpu_us"] * 1e6)
    assert list(tmp_path.iterdir()) == []


def test_spans_that_are_confirmed_are_not_lost(bench: Bench) -> None:
    """With room for them, every span of a process arrives."""
    outcome = delivery("x", goals=()).measure(bench)
    assert outcome.failed == {}
    roomy = outcome.figures[f"{OURS}, queue 200,000"]
    assert (roomy["lost"], roomy["real_collector"]) == (0, 0)
    assert roomy["per_s"] > 0


def test_the_lag_of_a_loop_has_all_figures(bench: Bench) -> None:
    """Each contender is measured in its own process."""
    outcome = lag("x", goals=()).measure(bench)
    assert outcome.failed == {}
    assert set(outcome.figures) == {NONE, OURS, SDK}
    for figures in outcome.figures.values():
        assert figures["p50_us"] <= figures["p99_us"] <= figures["p999_us"]


@pytest.mark.skipif(
    find_binary("collector") is None, reason="the Collector is not built; run: otel-trading stack build"
)
def test_a_collector_takes_what_is_sent() -> None:
    """It listens as long as its block."""
    binary = find_binary("collector")
    assert binary is not None
    with collector(binary) as endpoint:
        request = urllib.request.Request(f"{endpoint}/v1/traces", b"", {"Content-Type": "application/x-protobuf"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200


def test_numbered_instruments_are_one_each(bench: Bench) -> None:
    """``counter_1`` is the same counter wherever it is named, and another one than ``counter_2``."""
    names = bench.contender(PROMETHEUS).call("counter_1.inc(); counter_2.inc()").names
    again = bench.contender(PROMETHEUS).call("counter_1.inc()").names
    assert names["counter_1"] is again["counter_1"]
    assert names["counter_1"] is not names["counter_2"]


def test_fresh_processes_report_leave_out_or_fail() -> None:
    """What is printed comes back; a missing package leaves out; anything else is a failure that says what it was."""
    assert fresh.run("import sys; print('noise'); print([1, int(sys.argv[1])])", "2") == [1, 2]
    with pytest.raises(NotThereError, match="no_such_module"):
        fresh.run("import no_such_module")
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        fresh.run("1 / 0")


def test_starts_are_measured_in_fresh_processes(bench: Bench) -> None:
    """A code that can run has its figures; one that cannot fails alone; one that lacks a package is left out."""
    codes = {"good": "import json", "bad": "1 / 0", "absent": "import no_such_module"}
    outcome = start("x", codes).measure(bench)
    assert set(outcome.figures["good"]) == {"minimum_ms", "median_ms", "modules"}
    assert outcome.failed == {"bad": "ZeroDivisionError: division by zero"}
    assert outcome.left_out == {"absent": "No module named 'no_such_module'"}


def test_a_bots_options_do_not_decide_what_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables and configuration file are out of sight while measuring, and back afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    (tmp_path / "otel-trading.toml").write_text("disabled = true\n", "utf-8")
    seen: list[tuple[str | None, list[Path]]] = []

    def look(_: Bench) -> Outcome:
        seen.append((os.environ.get("OTEL_SDK_DISABLED"), list(Path.cwd().iterdir())))
        return Outcome()

    list(run([Row("look", Section("", ()), look)], TINY))
    assert seen == [(None, [])]
    assert os.environ["OTEL_SDK_DISABLED"] == "true"
    assert Path.cwd() == tmp_path


def test_one_row_that_cannot_be_measured_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect in a row is its outcome."""
    monkeypatch.chdir(tmp_path)

    def broken(_: Bench) -> Outcome:
        raise ValueError("broken")

    section = Section("", ())
    rows = [Row("broken", section, broken), Row("fine", section, lambda _: Outcome({OURS: {"x": 1.0}}))]
    outcomes = [outcome for _, outcome in run(rows, TINY)]
    assert outcomes[0].failed == {"the row": "ValueError: broken"}
    assert outcomes[1].figures == {OURS: {"x": 1.0}}


def test_the_receiver_takes_what_is_sent() -> None:
    """It answers that all is well, as an exporter expects, and is gone with its block."""
    with sink() as endpoint, urllib.request.urlopen(f"{endpoint}/v1/metrics", b"x" * 100_000, timeout=60) as answer:
        assert (answer.status, answer.read()) == (200, b"")
    with pytest.raises(OSError, match=r"refused|reset"):
        urllib.request.urlopen(f"{endpoint}/v1/metrics", data=b"x", timeout=60)
