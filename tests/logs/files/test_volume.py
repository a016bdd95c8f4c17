"""A bot that logs as fast as it can into a file that is rotated: each line is there, or counted as lost."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from otel_trading.logs.files.backups import Backups
from otel_trading.logs.files.file import JsonFile
from otel_trading.logs.files.janitor import JANITOR
from otel_trading.logs.files.rotation import Rotation
from tests.core.started_bots import StartedBot
from tests.logs.files.numbered import breaks, parts, read

if TYPE_CHECKING:
    from pathlib import Path

WAIT = 120.0
LOGS = """
import os
import otel_trading as ot
telemetry = ot.configure(
    **dict.fromkeys(("traces_exporter", "metrics_exporter", "logs_exporter"), "none"),
    runtime_enabled=False, log_file="logs/bot.log", log_rotate_size=5_000_000, log_keep_files=1_000,
    shutdown_timeout=60,
)
log, errors = telemetry.log("bot"), telemetry.log("errors")
os.write(1, b"ready\\n")
"""
A_MILLION = """
for number in range(1_000_000):
    log.info("filled", number=number, symbol="BTC/USDT", price=67000.5)
    if number % 1_000 == 0:
        errors.error("rejected", number=number)
telemetry.shutdown(60)
account = telemetry.status().signals["logs"]
of_errors = sum(count for (_, _, level), count in account.levels.items() if level == "ERROR")
print(sum(account.dropped.values()), of_errors)
"""
FOR_EVER = """
import itertools
for number in itertools.count():
    log.info("filled", number=number, symbol="BTC/USDT", price=67000.5)
    if number % 100 == 0:
        telemetry.flush(60)
        os.write(1, b"%d\\n" % (number + 1))
"""


def tidied(path: Path) -> None:
    """What the next start does with what was left half done."""
    JsonFile(path, rotation=Rotation(keep=1_000)).close()
    assert JANITOR.wait(WAIT)
    Backups(path, 1_000, 30.0, compress=True).tidy(time.time())


def test_a_million_lines_are_there_or_counted(tmp_path: Path) -> None:
    """Valid, in their order, and none twice; of errors none is lost while there are others."""
    path = tmp_path / "logs" / "bot.log"
    with StartedBot(LOGS + A_MILLION, tmp_path) as bot:
        bot.extend(WAIT)
        status, said, complaints = bot.ready().ended()
    assert (status, complaints) == (0, "")
    dropped, of_errors = map(int, said.split())
    tidied(path)
    assert len(parts(path)) > 2
    found = read(path)
    fills = [fields["data"]["number"] for fields in found if fields["service"] == "bot"]
    assert fills == sorted(set(fills))
    assert len(found) + dropped == 1_001_000
    assert (sum(fields["service"] == "errors" for fields in found), of_errors) == (1_000, 0)


@pytest.mark.parametrize("turns", [4, pytest.param(40, marks=pytest.mark.soak)])
def test_killed_bots_leave_whole_lines(tmp_path: Path, turns: int) -> None:
    """What was flushed before the kill is there; the rest of the file is valid, and the next start goes on in it."""
    chance = random.Random(turns)  # noqa: S311 - not a secret
    path = tmp_path / "logs" / "bot.log"
    behind: list[int] = []
    for _ in range(turns):
        with StartedBot(LOGS + FOR_EVER, tmp_path) as bot:
            bot.ready()
            time.sleep(chance.uniform(0.1, 0.6))
            bot.process.send_signal(signal.SIGKILL)
            _, said, _ = bot.ended()
        told = said[: said.rfind("\n") + 1].split()
        behind.append(int(told[-1]) if told else 0)
    tidied(path)
    runs: list[list[int]] = []
    for fields in read(path):
        number = fields["data"]["number"]
        if number == 0:
            runs.append([])
        runs[-1].append(number)
    assert sum(behind) > 1_000
    for run, flushed in zip(runs, behind, strict=True):
        assert breaks(run[:flushed]) == []
        assert len(run) >= flushed
        assert run == sorted(set(run))
