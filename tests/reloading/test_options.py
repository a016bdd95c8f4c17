"""The kit's own options change while the bot runs: all that a file says, or nothing."""

from __future__ import annotations

import json
import socket
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading import building
from otel_trading.settings import Settings
from otel_trading.settings.options import metadata
from tests.forks import in_child
from tests.reloading.conftest import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading import Telemetry
    from tests.core.otlp_receiver import OtlpReceiver
    from tests.reloading.conftest import Configure


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "otel-trading.toml"
    made.write_text('log_level = "INFO"\n', "utf-8")
    return made


def reload(handle: Telemetry, by: str = "api") -> Any:
    return handle.reloading.reload(by)[0]


def test_a_change_holds_without_a_restart(configured: Configure, path: Path) -> None:
    """It is noticed, and told of in one line, a metric and the origin of the value."""
    handle = configured(reload_interval=0.05)
    outcomes: list[Any] = []
    end = handle.reloading.subscribe(outcomes.append)
    path.write_text('log_level = "DEBUG"\nstale_after = 7\n', "utf-8")
    (outcome,) = eventually(lambda: outcomes)
    assert (handle.settings.log_level, handle.log_levels()[""]) == ("DEBUG", "DEBUG")
    assert handle.resolved.origins["stale_after"] == "file otel-trading.toml"
    assert handle.trading.feeds.stale_after == 7.0
    assert (outcome.by, outcome.outcome) == ("file", "applied")
    assert [str(each) for each in outcome.changes] == ["log_level: INFO → DEBUG", "stale_after: 30.0 → 7.0"]
    end()


def test_what_stands_above_the_file_stays_above_it(configured: Configure, path: Path) -> None:
    """And the line says that the change has no effect."""
    handle = configured(log_level="ERROR", reload_enabled=False)
    path.write_text('log_level = "DEBUG"\n', "utf-8")
    outcome = reload(handle)
    assert (outcome.changes, outcome.hidden) == ((), ("log_level",))
    assert handle.settings.log_level == "ERROR"


def test_what_needs_a_restart_says_so_and_stays(configured: Configure, path: Path) -> None:
    """Beside it the rest holds at once; status says what waits."""
    handle = configured(reload_enabled=False)
    path.write_text('cardinality_limit = 5000\nprofile = "staging"\nlog_level = "DEBUG"\n', "utf-8")
    outcome = reload(handle)
    assert [str(each) for each in outcome.changes] == ["log_level: INFO → DEBUG"]
    later = {each.key for each in outcome.later}
    assert later == {"cardinality_limit", "profile", "trade_execution", "database"}
    assert handle.settings.cardinality_limit == 2_000
    assert "cardinality_limit: 2000 → 5000, from the next start on" in str(handle.status().problems)
    assert "staging_db" not in str(handle.status().problems)
    path.write_text("span_delay = -1", "utf-8")
    assert reload(handle).outcome == "refused"
    assert "from the next start on" in str(handle.status().problems)
    path.write_text('log_level = "DEBUG"\n', "utf-8")
    assert reload(handle).ok
    assert handle.status().problems == ()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("log_level = ", "Invalid value"),
        ('log_level = "LOUD"\nspan_delay = 3', "log_level='LOUD' is not usable; allowed: DEBUG"),
        ("span_delay = 3\nspan_dealy = 3", "span_dealy is no option (did you mean span_delay?)"),
        ('service_name = "other"\nops_port = 70000', "ops_port=70000 is not usable"),
        ('span_delay = 3\nmetrics_exporter = "nosuch"', "an installed exporter"),
        ('span_delay = 3\nbudgets = {order_execution = "soon"}', "'soon' is no duration"),
        ("span_delay = 3\nredaction_patterns = ['[']", "'[' is not usable"),
        ('span_delay = 3\ninstrument = "nosuch"', "nosuch"),
        ("", "it is empty"),
    ],
)
def test_what_cannot_be_used_is_refused_whole(configured: Configure, path: Path, content: str, why: str) -> None:
    """Whether that shows when the file is read or when it is tried; what held before holds on."""
    handle = configured(reload_enabled=False)
    before, problems = handle.settings, handle.status().problems
    path.write_text(content, "utf-8")
    outcome = reload(handle)
    assert outcome.outcome == "refused"
    assert why in " ".join(outcome.problems)
    assert handle.settings == before
    assert next(each for each in handle.status().problems if each not in problems).startswith(str(path))
    path.write_text('log_level = "INFO"\n', "utf-8")
    assert reload(handle).outcome == "unchanged"
    assert handle.status().problems == problems


def test_a_port_that_cannot_be_had_is_given_back_for_the_old_one(configured: Configure, path: Path) -> None:
    """One that can be had is taken, and the page is there."""
    handle = configured(reload_enabled=False)
    assert handle.ops is not None
    url = handle.ops.url
    with socket.create_server(("127.0.0.1", 0)) as taken:
        handle.reloading.kit._given.pop("ops_port")
        path.write_text(f"ops_port = {taken.getsockname()[1]}", "utf-8")
        assert "Address already in use" in reload(handle).problems[0]
    assert handle.ops is not None
    assert urllib.request.urlopen(f"{handle.ops.url}/health", timeout=30).status == 200
    assert handle.settings.ops_port == 0
    assert url.startswith("http://127.0.0.1:")


def test_what_fails_when_it_is_tried_is_taken_back(
    configured: Configure, path: Path, receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old settings are put in force again, and what is measured meanwhile arrives."""
    handle = configured(reload_enabled=False)
    before, build = handle.settings, building.build_pipeline

    def fails(resolved: Any, *others: Any) -> Any:
        if resolved.settings.stale_after == 7.0:
            raise ZeroDivisionError
        return build(resolved, *others)

    monkeypatch.setattr(building, "build_pipeline", fails)
    path.write_text("stale_after = 7\n", "utf-8")
    assert reload(handle).problems == ("it cannot be set up: ZeroDivisionError: ",)
    assert handle.settings == before
    handle.tracer.start_span("after").end()
    assert handle.flush(20)
    assert "after" in [span.name for span in receiver.spans]


def test_a_hang_up_asks_for_it_without_waiting(configured: Configure, path: Path) -> None:
    """Only where there is a file; also where none is watched."""
    handle = configured(reload_enabled=False)
    outcomes: list[Any] = []
    end = handle.reloading.subscribe(outcomes.append)
    path.write_text("stale_after = 7\n", "utf-8")
    assert handle.reload_soon("SIGHUP")
    (outcome,) = eventually(lambda: outcomes)
    assert (outcome.by, outcome.outcome, handle.settings.stale_after) == ("SIGHUP", "applied", 7.0)
    end()
    path.unlink()
    assert not configured(reload_enabled=False, stale_after=8.0).reload_soon("SIGHUP")


def test_switches_thrown_by_hand_stay_as_they_are(configured: Configure, path: Path) -> None:
    """A change of something else neither turns telemetry on nor levels back; one of theirs does."""
    handle = configured(reload_enabled=False)
    handle.enabled = False
    handle.set_log_level("DEBUG", "venue.kraken")
    path.write_text('stale_after = 7\nlog_level = "INFO"\n', "utf-8")
    assert reload(handle).ok
    assert handle.enabled is False
    assert handle.log_levels() == {"": "INFO", "venue.kraken": "DEBUG"}
    handle.enabled = True
    path.write_text('log_level = "ERROR"\n', "utf-8")
    assert reload(handle).ok
    assert (handle.enabled, handle.log_levels()) == (True, {"": "ERROR"})


def test_telemetry_can_be_turned_off_and_on_by_the_file(configured: Configure, path: Path) -> None:
    """It is watched on while it is off."""
    handle = configured(reload_interval=0.05)
    path.write_text("disabled = true\n", "utf-8")
    assert eventually(lambda: handle.settings.disabled and not handle.measuring)
    path.write_text("disabled = false\n", "utf-8")
    assert eventually(lambda: handle.measuring)


def test_a_file_that_comes_later_is_found(configured: Configure, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the folder that the bot was in when it called ``configure()``; one that goes leaves what it said."""
    path.unlink()
    handle = configured(reload_interval=0.05)
    monkeypatch.chdir("/")
    path.write_text("stale_after = 7\n", "utf-8")
    assert eventually(lambda: handle.settings.stale_after == 7.0)
    path.unlink()
    assert "there is no such file any more" in str(eventually(lambda: handle.reloading.problems))
    assert handle.settings.stale_after == 7.0


def test_nothing_is_taken_once_telemetry_has_ended(configured: Configure, path: Path) -> None:
    """Nor does a change start it anew; no thread is left."""
    handle = configured(reload_interval=0.05)
    handle.shutdown(2)
    path.write_text("stale_after = 7\n", "utf-8")
    assert handle.reloading.kit.subject.reload("api").problems == ("it is watched no more",)
    assert not handle.delivering
    assert eventually(lambda: not [each for each in threading.enumerate() if each.name.startswith("otel-config")])


def test_no_measurement_line_or_span_is_lost(configured: Configure, path: Path) -> None:
    """However often a change comes in between."""
    handle = configured(reload_enabled=False)
    counter, log = handle.meter.create_counter("bot.ticks"), handle.log("bot")
    for number in range(10):
        for _ in range(100):
            counter.add(1)
        log.info("tick", number=number)
        with handle.tracer.start_as_current_span("tick"):
            pass
        path.write_text(f"stale_after = {number + 1}\n", "utf-8")
        assert reload(handle).ok
    assert handle.shutdown(20)
    accounts = handle.status().signals
    assert {signal: account.lost for signal, account in accounts.items()} == dict.fromkeys(accounts, 0)


def test_a_forked_child_takes_changes_too(configured: Configure, path: Path) -> None:
    """And leaves the ops port to its parent."""
    handle = configured(reload_interval=0.05)

    def child() -> tuple[float, bool]:
        path.write_text("stale_after = 7\n", "utf-8")
        eventually(lambda: handle.settings.stale_after == 7.0)
        return handle.settings.stale_after, handle.ops is None

    assert in_child(child) == (7.0, True)
    assert eventually(lambda: handle.settings.stale_after == 7.0)
    assert handle.ops is not None


def _other(name: str) -> Any:
    """Another value of an option that it allows."""
    field, value = Settings.model_fields[name], getattr(Settings(), name)
    known: dict[str, Any] = {
        "budgets": {"order_execution": "7ms"},
        "endpoint": "http://127.0.0.1:9",
        "event_sampling_rate": 0.5,
        "flight_size": 1 << 23,
        "instrument": ["none"],
        "log_console": "json",
        "log_level": "DEBUG",
        "log_levels": {"venue": "DEBUG"},
        "ops_host": "localhost",
        "session_start": "17:00",
        "traces_sampler": "always_on",
        "traces_slow_percentile": 0.5,
    }
    if name in known:
        return known[name]
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 2 if value * 2 != value else 1
    choices = [each for each in getattr(field.annotation, "__args__", ()) if isinstance(each, str)]
    if choices:
        return next(each for each in choices if each != value)
    return None


SKIPPED = {"ops_port", "disabled", "reload_enabled", "banner", "summary_at_exit", "protocol", "compression"}
LIVE = [name for name in Settings.model_fields if not metadata(name)["restart"] and name not in SKIPPED]


def test_every_option_that_needs_no_restart_can_be_changed(
    configured: Configure, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, and back all at once."""
    handle = configured(reload_enabled=False)
    monkeypatch.delenv("OTEL_TRADING_FLIGHT_FOLDER", raising=False)
    handle.reloading.kit._given.clear()
    path.with_suffix(".json").write_text("{}", "utf-8")
    path.unlink()
    file = path.with_suffix(".json")
    tried: dict[str, Any] = {
        "ops_port": 0,
        "spool_folder": str(path.parent / "spool"),
        "flight_folder": str(path.parent / "flight"),
    }
    file.write_text(json.dumps(tried), "utf-8")
    assert reload(handle).ok
    changed = 0
    for names in [LIVE[start : start + 8] for start in range(0, len(LIVE), 8)]:
        others = {name: other for name in names if name not in tried and (other := _other(name)) is not None}
        tried |= others
        file.write_text(json.dumps(tried), "utf-8")
        outcome = reload(handle)
        assert outcome.outcome in {"applied", "unchanged"}, (names, outcome)
        changed += len(others)
        for name, value in others.items():
            found = getattr(handle.settings, name)
            assert (list(found) if isinstance(found, tuple) else found) == value, name
    assert changed > 60
    file.write_text('{"ops_port": 0}', "utf-8")
    assert reload(handle).ok
