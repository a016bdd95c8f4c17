"""The bot's own configuration: checked, replaced as a whole, told of."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, SecretStr

from otel_trading.reloading import subscribers
from otel_trading.reloading.config import ConfigError
from otel_trading.testing import capture
from tests.reloading.conftest import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_trading.testing import Captured


class Risk(BaseModel, frozen=True):
    max_exposure: float
    api_key: SecretStr = SecretStr("")


class Loose(BaseModel):
    max_exposure: float


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    with capture(real_time=True) as captured:
        yield captured


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "bot.toml"
    made.write_text("max_exposure = 5\n", "utf-8")
    return made


def write(path: Path, exposure: object, **more: object) -> None:
    lines = {"max_exposure": exposure, **more}
    path.write_text("".join(f"{key} = {value!r}\n" for key, value in lines.items()), "utf-8")


def test_a_change_is_one_new_object(telemetry: Captured, path: Path) -> None:
    """Who keeps the old one keeps it whole."""
    config = telemetry.handle.watch_config(Risk, path)
    old = config.current
    write(path, 7.5)
    outcome = config.reload()
    assert (outcome.outcome, [str(each) for each in outcome.changes]) == ("applied", ["max_exposure: 5.0 → 7.5"])
    assert (old.max_exposure, config.current.max_exposure) == (5.0, 7.5)
    assert config.reload().outcome == "unchanged"


def test_what_cannot_be_used_is_refused_whole(telemetry: Captured, path: Path) -> None:
    """With the reasons, until it is mended; status says so, too."""
    config = telemetry.handle.watch_config(Risk, path)
    old = config.current
    write(path, 9, max_exposur=3)
    outcome = config.reload(by="http")
    assert outcome.problems == ("max_exposur (file bot.toml) is no setting (did you mean max_exposure?)",)
    assert config.current is old
    assert config.problems == (f"{path}: {outcome.problems[0]}",)
    assert config.problems[0] in telemetry.handle.status().problems
    write(path, 5)
    assert config.reload().outcome == "unchanged"
    assert (len(config.problems), config.current is old) == (0, True)


def test_each_outcome_is_a_line_and_a_count(telemetry: Captured, path: Path) -> None:
    """With who, what and from where; secrets masked."""
    config = telemetry.handle.watch_config(Risk, path)
    write(path, 6, api_key="geheim")
    config.reload(by="http")
    write(path, -1, api_key=[])
    config.reload(by="SIGHUP")
    changed, refused = telemetry.logs
    assert (changed.event, refused.event) == ("config_changed", "config_refused")
    assert "geheim" not in str(changed.body) + str(changed.attributes)
    assert "max_exposure: 5.0 → 6.0" in str(changed.body)
    assert (changed.attributes["by"], changed.attributes["source"]) == ("http", str(path))
    assert "is refused, and the old one holds: api_key" in str(refused.body)
    counted = telemetry.metrics["trading.config.reloads"]
    outcomes = {"trading.config.outcome": "applied"}, {"trading.config.outcome": "refused"}
    assert [counted(outcome).value for outcome in outcomes] == [1, 1]


def test_checks_come_before_callbacks_and_one_is_enough(telemetry: Captured, path: Path) -> None:
    """All are asked; nothing is told of a change that one objects to."""
    config = telemetry.handle.watch_config(Risk, path)
    told: list[tuple[float, float]] = []
    config.check(lambda _old, new, _changes: new.max_exposure < 100)
    config.check(lambda _old, new, _: "positions are larger" if new.max_exposure < 2 else None)
    end = config.check(lambda *_: 1 / 0)
    config.on_change(lambda old, new, _: told.append((old.max_exposure, new.max_exposure)))
    write(path, 1)
    problems = config.reload().problems
    assert [problem.split(" objects")[1] for problem in problems] == [": positions are larger", ": division by zero"]
    end()
    write(path, 1_000)
    assert config.reload().problems[0].endswith("objects")
    assert (config.current.max_exposure, told) == (5.0, [])
    write(path, 50)
    assert config.reload().ok
    assert told == [(5.0, 50.0)]


def test_a_callback_that_fails_costs_itself(telemetry: Captured, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The change holds, the others are called, and it is said."""
    config = telemetry.handle.watch_config(Risk, path)
    told: list[float] = []
    config.on_change(lambda *_: 1 / 0)
    config.on_change(lambda _old, new, _: told.append(new.max_exposure))
    write(path, 6)
    assert config.reload().ok
    assert told == [6.0]
    assert "failed when the configuration changed: ZeroDivisionError" in caplog.text


def test_a_callback_cannot_ask_for_the_change_it_is_told_of(telemetry: Captured, path: Path) -> None:
    """It is refused rather than waited for ever."""
    config = telemetry.handle.watch_config(Risk, path)
    outcomes: list[Any] = []
    config.on_change(lambda *_: outcomes.append(config.reload()))
    write(path, 6)
    assert config.reload().ok
    assert outcomes[0].problems == ("it is asked for in the middle of a change",)


async def test_coroutines_run_where_they_were_registered(telemetry: Captured, path: Path) -> None:
    """Checks are waited for, callbacks come in turn, functions are called there, too."""
    config = telemetry.handle.watch_config(Risk, path)
    here = threading.current_thread()
    seen: list[tuple[object, bool]] = []
    done = asyncio.Event()

    async def check(_old: Risk, new: Risk, _: object) -> bool:
        await asyncio.sleep(0)
        seen.append(("check", threading.current_thread() is here))
        return new.max_exposure < 10

    async def slowly(_old: Risk, new: Risk, _: object) -> None:
        await asyncio.sleep(0.05 if new.max_exposure == 6 else 0)
        seen.append((new.max_exposure, threading.current_thread() is here))
        if new.max_exposure == 7:
            done.set()

    config.check(check)
    config.on_change(slowly)
    config.on_change(lambda *_: seen.append(("called", threading.current_thread() is here)))
    for exposure in (6, 7, 11):
        write(path, exposure)
        outcome = await asyncio.to_thread(config.reload)
    assert outcome.outcome == "refused"
    await asyncio.wait_for(done.wait(), 30)
    assert [each for each in seen if each[0] in {6, 7}] == [(6, True), (7, True)]
    assert seen.count(("check", True)) == 3
    assert seen.count(("called", True)) == 2


async def test_a_coroutine_that_does_not_answer_objects(
    telemetry: Captured, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As does one that is asked for by its own loop, which it would wait for."""
    monkeypatch.setattr(subscribers, "PATIENCE", 0.1)
    config = telemetry.handle.watch_config(Risk, path)

    async def hangs(*_: object) -> None:
        await asyncio.sleep(600)

    config.check(hangs)
    write(path, 6)
    assert "does not answer within 0.1 s" in (await asyncio.to_thread(config.reload)).problems[0]
    assert "reload in a thread" in config.reload().problems[0]
    assert config.current.max_exposure == 5.0


def test_coroutines_without_a_loop_run_in_the_thread(telemetry: Captured, path: Path) -> None:
    """Of a bot that has none."""
    config = telemetry.handle.watch_config(Risk, path)
    told: list[float] = []

    async def check(*_: object) -> bool:
        return True

    async def tell(_old: Risk, new: Risk, _: object) -> None:
        told.append(new.max_exposure)

    config.check(check)
    config.on_change(tell)
    write(path, 6)
    assert config.reload().ok
    assert told == [6.0]


def test_there_is_something_to_begin_with(telemetry: Captured, path: Path, tmp_path: Path) -> None:
    """Else it raises, unless there is a default, which is mended later."""
    with pytest.raises(ConfigError, match="max_exposure is missing"):
        telemetry.handle.watch_config(Risk, None)
    with pytest.raises(ConfigError, match="No such file"):
        telemetry.handle.watch_config(Risk, tmp_path / "none.toml")
    path.write_text("max_exposure = ", "utf-8")
    config = telemetry.handle.watch_config(Risk, path, default=Risk(max_exposure=1))
    assert config.current.max_exposure == 1
    assert "Invalid value" in config.problems[0]
    write(path, 5)
    assert config.reload().ok
    assert (config.current.max_exposure, config.problems) == (5.0, ())


def test_variables_alone_are_a_configuration(
    telemetry: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without any file; they are read anew when it is asked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RISKY_MAX_EXPOSURE", "3")
    config = telemetry.handle.watch_config(Risk, env_prefix="RISKY_")
    assert (config.current.max_exposure, config.has_file) == (3.0, False)


def test_who_changes_it_himself_is_told(telemetry: Captured, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is one object for all; what the file says is what counts."""
    config = telemetry.handle.watch_config(Loose, path)
    config.current.max_exposure = 99
    write(path, 5)
    config.reload()
    write(path, 6)
    outcome = config.reload()
    assert [str(each) for each in outcome.changes] == ["max_exposure: 5.0 → 6.0"]
    assert caplog.text.count("the bot has changed its own configuration (max_exposure: 5.0 → 99)") == 1


def test_it_is_watched(configured: Any, path: Path) -> None:
    """By the kit's own thread, in a file of its own and in the table of the kit's."""
    handle = configured(reload_interval=0.05)
    config = handle.watch_config(Risk, path)
    write(path, 8)
    assert eventually(lambda: config.current.max_exposure == 8)
    path.unlink()
    assert "there is no such file any more" in eventually(lambda: config.problems)[0]
    write(path, 9)
    assert eventually(lambda: config.current.max_exposure == 9)
    assert config.problems == ()


def test_one_file_may_be_for_both(configured: Any, tmp_path: Path) -> None:
    """The kit's options, and the table ``bot``."""
    path = tmp_path / "otel-trading.toml"
    path.write_text('log_level = "INFO"\n[bot]\nmax_exposure = 5\n', "utf-8")
    handle = configured(reload_interval=0.05)
    assert handle.status().problems == ()
    config = handle.watch_config(Risk)
    path.write_text('log_level = "DEBUG"\n[bot]\nmax_exposure = 6\n', "utf-8")
    assert eventually(lambda: config.current.max_exposure == 6 and handle.settings.log_level == "DEBUG")
    path.write_text('log_level = "DEBUG"\n[bot]\nmax_exposure = "x"\n', "utf-8")
    assert "max_exposure=x" in eventually(lambda: config.problems)[0]


def test_one_that_is_closed_stays_as_it_is(configured: Any, path: Path) -> None:
    """And is watched no more."""
    handle = configured(reload_interval=0.05)
    config = handle.watch_config(Risk, path)
    config.close()
    write(path, 8)
    assert config.reload().problems == ("it is watched no more",)
    assert (config.current.max_exposure, handle.reloading.configs) == (5.0, [])
