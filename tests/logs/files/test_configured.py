"""Log files and console by ``configure()``: from the call that logs to what stands on the disk."""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from loguru import logger as loguru_logger

import otel_trading as ot
from otel_trading.logs.levels import LEVELS
from tests.core.started_bots import StartedBot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

QUIET = dict.fromkeys(("traces_exporter", "metrics_exporter", "logs_exporter"), "none")


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Callable[..., ot.Telemetry]]:
    """``configure()`` with files below a folder, and nobody else that takes lines."""
    handles: list[ot.Telemetry] = []

    def configure_here(**options: Any) -> ot.Telemetry:
        defaults: dict[str, Any] = {**QUIET, "ops_enabled": False, "runtime_enabled": False, "service_name": "bot"}
        defaults |= {"flight_folder": str(tmp_path / "flight"), "log_file": tmp_path / "logs" / "bot.log"}
        handles.append(ot.configure(**{**defaults, **options}))
        return handles[-1]

    yield configure_here
    for handle in handles:
        handle.shutdown(5)
    LEVELS.configure("INFO", {})


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a file."""
    return [json.loads(each) for each in path.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_lines_of_every_source_are_in_the_file(
    configured: Callable[..., ot.Telemetry], tmp_path: Path, engine: str
) -> None:
    """With their fields, and the errors in a file of their own."""
    telemetry = configured(engine=engine, log_errors_file=tmp_path / "logs" / "errors.log")
    logging.getLogger("stdlib").warning("from logging", extra={"price": 1.5})
    structlog.configure(processors=[ot.StructlogProcessor(final=True)])
    structlog.get_logger(venue="kraken").error("from structlog", logger="structlog")
    undo = ot.add_loguru_sink()
    loguru_logger.info("from loguru {n}", n=3)
    telemetry.log("kit").error("from the kit", order=7)
    undo()
    structlog.reset_defaults()
    assert telemetry.shutdown(10)
    found = {fields["message"]: fields for fields in read(tmp_path / "logs" / "bot.log")}
    assert found["from logging"]["data"]["price"] == 1.5
    assert (found["from structlog"]["service"], found["from structlog"]["data"]) == ("structlog", {"venue": "kraken"})
    assert (found["from loguru 3"]["service"], found["from loguru 3"]["data"]) == (__name__, {"n": 3})
    assert (found["from the kit"]["service"], found["from the kit"]["level"]) == ("kit", "ERROR")
    assert [fields["message"] for fields in read(tmp_path / "logs" / "errors.log")] == [
        "from structlog",
        "from the kit",
    ]


def test_levels_change_while_the_bot_runs(configured: Callable[..., ot.Telemetry], tmp_path: Path) -> None:
    """For each kind of logger; a wrong one is one message, and nothing happens."""
    telemetry = configured(log_levels={"venue.kraken": "WARNING"})
    bots, kits = logging.getLogger("venue.kraken"), telemetry.log("venue.kraken")
    level_before = bots.level

    def both(message: str) -> None:
        bots.info(message)
        kits.info(message)

    both("too low")
    assert telemetry.set_log_level("DEBUG", "venue")
    both("too low still")
    assert telemetry.set_log_level(logging.INFO, "venue.kraken")
    both("taken")
    logging.getLogger("venue.binance").debug("taken, too")
    telemetry.log("venue.binance").debug("taken, too")
    assert telemetry.log_levels() == {"": "INFO", "venue": "DEBUG", "venue.kraken": "INFO"}
    assert telemetry.set_log_level("ERROR")
    logging.getLogger("other").warning("too low")
    telemetry.log("other").warning("too low")
    assert not telemetry.set_log_level("LOUD", "venue")
    assert telemetry.shutdown(10)
    messages = [fields["message"] for fields in read(tmp_path / "logs" / "bot.log")]
    assert messages == ["taken", "taken", "taken, too", "taken, too"]
    assert bots.level == level_before
    assert logging.getLogger("venue").level == logging.NOTSET


def test_a_file_takes_lines_of_its_level(configured: Callable[..., ot.Telemetry], tmp_path: Path) -> None:
    """And reconfiguring goes on in the same file, while the pipeline before writes what it still has."""
    telemetry = configured(log_level="DEBUG", log_file_level="WARNING")
    telemetry.log("a").info("no")
    telemetry.log("a").warning("1")
    telemetry = configured(log_level="DEBUG")
    telemetry.log("a").debug("2")
    assert telemetry.shutdown(10)
    assert sorted(fields["message"] for fields in read(tmp_path / "logs" / "bot.log")) == ["1", "2"]


def test_a_file_that_cannot_be_written_is_in_the_status(
    configured: Callable[..., ot.Telemetry], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One message; when it can be written what waited comes in, and the status is clean."""
    path = tmp_path / "logs" / "bot.log"
    path.mkdir(parents=True)
    telemetry = configured()
    assert any("cannot be written: Is a directory" in problem for problem in telemetry.status().problems)
    for number in range(100):
        telemetry.log("a").info("line %d", number)
    path.rmdir()
    end = time.monotonic() + 30
    while telemetry.status().problems and time.monotonic() < end:
        time.sleep(0.02)
    assert telemetry.status().problems == ()
    assert telemetry.shutdown(10)
    assert [fields["message"] for fields in read(path)] == [f"line {number}" for number in range(100)]
    assert sum("cannot be written" in message for message in caplog.messages) == 1


def test_the_same_path_twice_is_one_file(
    configured: Callable[..., ot.Telemetry], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Else every error would be in it twice."""
    path = tmp_path / "logs" / "bot.log"
    telemetry = configured(log_errors_file=str(tmp_path / "logs" / ".." / "logs" / "bot.log"))
    telemetry.log("a").error("once")
    assert telemetry.shutdown(10)
    assert [fields["message"] for fields in read(path)] == ["once"]
    assert sum("it is not written twice" in message for message in caplog.messages) == 1


FORKS = """
import logging, multiprocessing, os
import otel_trading as ot

def work(place):
    for number in range(500):
        logging.getLogger(f"child.{place}").warning("%d", number)

if __name__ == "__main__":
    telemetry = ot.configure(
        traces_exporter="none", metrics_exporter="none", logs_exporter="none", runtime_enabled=False,
        log_file="logs/bot.log", log_rotate_size=65536, log_keep_files=1000, log_compress=False,
    )
    context = multiprocessing.get_context("fork")
    children = [context.Process(target=work, args=(place,)) for place in range(3)]
    for child in children:
        child.start()
    work("parent")
    for child in children:
        child.join()
    telemetry.shutdown(30)
    print("ready", flush=True)
"""


def test_forked_children_write_the_same_file(tmp_path: Path) -> None:
    """Each line is there once, whoever rotated."""
    with StartedBot(FORKS, tmp_path) as bot:
        assert bot.ready().ended()[0] == 0
    found: dict[str, list[int]] = {}
    files = [*sorted((tmp_path / "logs").glob("bot.log.*")), tmp_path / "logs" / "bot.log"]
    assert len(files) > 2
    for fields in [fields for file in files for fields in read(file)]:
        found.setdefault(fields["service"], []).append(int(fields["message"]))
    assert found == {f"child.{place}": list(range(500)) for place in (0, 1, 2, "parent")}


PRINTS = """
import logging
import otel_trading as ot
telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none", runtime_enabled=False)
logging.getLogger("bot").warning("filled %s", "BTC", extra={"price": 1.5})
logging.getLogger("otel_trading").warning("otel-trading: something")
print("ready", flush=True)
"""


@pytest.mark.parametrize("form", ["readable", "json", "none"])
def test_the_console_shows_each_line_once(tmp_path: Path, form: str) -> None:
    """On the error stream, in place of logging's last resort; the kit's own complaints are shown as ever."""
    with StartedBot(PRINTS, tmp_path, OTEL_TRADING_LOG_CONSOLE=form) as bot:
        status, _, printed = bot.ready().ended()
    assert status == 0
    assert printed.count("filled BTC") == 1
    assert printed.count("otel-trading: something") == 1
    (line,) = [each for each in printed.splitlines() if "filled" in each]
    if form == "json":
        assert json.loads(line)["data"]["price"] == 1.5
    elif form == "readable":
        assert line.endswith("WARNING  bot · filled BTC  price=1.5")
    else:
        assert line == "filled BTC"
