"""A stop by another process, through restarts, kills and forks: real bots, the real command."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from otel_trading.risk.state import change, file_of, read
from tests.core.started_bots import StartedBot
from tests.environment import bare

WAIT = 60.0
COMMAND = Path(sys.executable).with_name("otel-trading")
SERVICE = "test-bot"
_NOTICED = 1.0
"""Seconds; a tenth of one is promised, and a loaded machine may take its time."""

BEGIN = """
import asyncio, json, os, sys, time
import otel_trading as ot

telemetry = ot.configure(traces_exporter="none", metrics_exporter="none", logs_exporter="none", instrument="none",
                         runtime_enabled=False, spool_enabled=False, flight_enabled=False)
emergency = telemetry.emergency


def wait(engaged=True):
    parent = os.getppid()
    while emergency.engaged is not engaged:
        time.sleep(0.0005)
        if os.getppid() != parent:
            os._exit(1)  # the test is over
    return time.time_ns()


def say(**what):
    os.write(1, (json.dumps(what) + "\\n").encode())


def told():
    state = emergency.state
    return {"engaged": state.engaged, "reason": state.reason, "by": state.by}
"""


def command(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, "emergency", *arguments],
        env=bare(OTEL_TRADING_EMERGENCY_FOLDER=str(folder / "emergency"), **variables),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def heard(bot: StartedBot) -> dict[str, object]:
    line = bot.line()
    assert line, bot.ended()
    answer: dict[str, object] = json.loads(line)
    return answer


def test_the_command_stops_a_bot_whose_loop_is_blocked(tmp_path: Path) -> None:
    """While the loop is blocked for ten seconds, the command of another process is seen, told and acted on."""
    source = """
async def bot():
    done = []
    emergency.on_stop(lambda: done.append(time.time_ns()))
    print("ready", flush=True)
    end, noticed = time.monotonic() + 10, None
    while time.monotonic() < end:
        if noticed is None and emergency.engaged:
            noticed = time.time_ns()
        if noticed and done:
            break
        time.sleep(0.0005)
    since = emergency.state.since_ns
    say(noticed=(noticed - since) / 1e9, called=(done[0] - since) / 1e9, allowed=telemetry.risk.allows(), **told())

asyncio.run(bot())
telemetry.shutdown()
"""
    with StartedBot(BEGIN + source, tmp_path) as bot:
        bot.ready()
        stopped = command(tmp_path, "stop", "--reason", "volatility out of hand")
        assert stopped.returncode == 0, stopped.stderr
        answer = heard(bot)
        assert answer["allowed"] is False
        assert (answer["reason"], answer["by"]) == ("volatility out of hand", "cli")
        assert float(str(answer["noticed"])) < _NOTICED
        assert float(str(answer["called"])) < 5 * _NOTICED
        code, _, err = bot.ended()
    assert code == 0
    assert "EMERGENCY STOP: trading is stopped since" in err
    assert "volatility out of hand" in err


def test_it_survives_a_restart_until_it_is_resumed(tmp_path: Path) -> None:
    """Also when the bot was killed; the next life says since when, why, by whom, and how to resume."""
    with StartedBot(BEGIN + 'print("ready", flush=True); wait(); say(**told()); time.sleep(60)', tmp_path) as bot:
        bot.ready()
        assert command(tmp_path, "stop", "--reason", "x").returncode == 0
        assert heard(bot)["engaged"] is True
        bot.process.kill()
    for _ in range(2):
        source = """
called = []
emergency.on_stop(lambda: called.append(1))
say(**told(), allowed=telemetry.risk.allows())
time.sleep(0.2)
say(called=len(called))
os.kill(os.getpid(), 9)
"""
        with StartedBot(BEGIN + source, tmp_path) as bot:
            assert heard(bot) == {"engaged": True, "reason": "x", "by": "cli", "allowed": False}
            assert heard(bot) == {"called": 0}
            _, _, err = bot.ended()
        assert "EMERGENCY STOP holds: trading is stopped since" in err
        assert "otel-trading emergency resume --service test-bot" in err
    source = 'print("ready", flush=True); wait(False); say(**told())'
    with StartedBot(BEGIN + source, tmp_path) as bot:
        bot.ready()
        assert command(tmp_path, "resume", "--reason", "checked").returncode == 0
        assert heard(bot) == {"engaged": False, "reason": "checked", "by": "cli"}
    with StartedBot(BEGIN + "say(**told())", tmp_path) as bot:
        assert heard(bot)["engaged"] is False


def test_callbacks_are_called_while_telemetry_is_off(tmp_path: Path) -> None:
    """To switch telemetry off switches no stop off."""
    source = 'emergency.on_stop(lambda: say(called=True)); print("ready", flush=True); wait(); emergency.wait(30)'
    with StartedBot(BEGIN + source, tmp_path, OTEL_SDK_DISABLED="true") as bot:
        bot.ready()
        assert command(tmp_path, "stop", "--service", SERVICE).returncode == 0
        assert heard(bot) == {"called": True}
        assert "EMERGENCY STOP" in bot.ended()[2]


def test_a_bot_that_stops_itself_and_is_killed_at_once_stays_stopped(tmp_path: Path) -> None:
    """When ``stop()`` has returned, the state is on the disk."""
    with StartedBot(BEGIN + 'emergency.stop("mine", by="rule"); os.kill(os.getpid(), 9)', tmp_path) as bot:
        assert bot.ended()[0] == -signal.SIGKILL
    with StartedBot(BEGIN + "say(**told())", tmp_path) as bot:
        assert heard(bot) == {"engaged": True, "reason": "mine", "by": "rule"}


def test_all_processes_of_a_service_are_stopped(tmp_path: Path) -> None:
    """Two bots of one name, and a forked child of one of them; another service trades on."""
    source = """
child = os.fork()
who = "parent" if child else "child"
emergency.on_stop(lambda: say(who=who, called=True))
say(who=who, ready=True)
wait()
emergency.wait(30)
if child:
    os.waitpid(child, 0)
else:
    os._exit(0)
"""
    other = 'print("ready", flush=True); sys.stdin.readline(); say(**told())'
    with (
        StartedBot(BEGIN + source, tmp_path) as one,
        StartedBot(BEGIN + 'print("ready", flush=True); wait(); say(**told())', tmp_path) as two,
        StartedBot(BEGIN + other, tmp_path, OTEL_SERVICE_NAME="other-bot") as three,
    ):
        assert sorted(str(heard(one)["who"]) for _ in range(2)) == ["child", "parent"]
        two.ready()
        three.ready()
        stopped = command(tmp_path, "stop", "--service", SERVICE)
        assert stopped.returncode == 0, stopped.stderr
        assert sorted(str(heard(one)["who"]) for _ in range(2)) == ["child", "parent"]
        assert heard(two)["engaged"] is True
        assert three.process.stdin is not None
        three.process.stdin.write("\n")
        three.process.stdin.flush()
        assert heard(three)["engaged"] is False


def test_a_child_stops_its_parent_although_it_is_killed(tmp_path: Path) -> None:
    """What a process does to the latch is there for the others before it could be killed."""
    source = """
child = os.fork()
if not child:
    emergency.engage("by a child", "api")
    os.kill(os.getpid(), 9)
os.waitpid(child, 0)
say(engaged=emergency.engaged)
emergency.saved(30)
"""
    with StartedBot(BEGIN + source, tmp_path) as bot:
        assert heard(bot) == {"engaged": True}
        assert bot.ended()[0] == 0
    state = read(file_of(tmp_path / "emergency", SERVICE))
    assert state is not None
    assert (state.engaged, state.reason) == (True, "by a child")


def test_a_signal_and_a_file_stop_a_blocked_bot(tmp_path: Path) -> None:
    """Both are seen while the loop is blocked, and telemetry may be off."""
    source = """
async def bot():
    print("ready", flush=True)
    wait()
    say(**told())
    emergency.resume()
    say(**told())
    wait()
    say(**told())

asyncio.run(bot())
"""
    trigger = tmp_path / "STOP"
    with StartedBot(
        BEGIN + source,
        tmp_path,
        OTEL_TRADING_EMERGENCY_SIGNAL="SIGUSR1",
        OTEL_TRADING_EMERGENCY_FILE=str(trigger),
        OTEL_SDK_DISABLED="true",
    ) as bot:
        bot.ready()
        bot.process.send_signal(signal.SIGUSR1)
        assert heard(bot)["by"] == "signal"
        assert heard(bot)["engaged"] is False
        trigger.touch()
        assert heard(bot)["by"] == "file"
        _, _, err = bot.ended()
    assert err.count("EMERGENCY STOP: trading") == 2
    refused = command(tmp_path, "resume", OTEL_TRADING_EMERGENCY_FILE=str(trigger))
    assert refused.returncode == 1
    assert "remove it first" in refused.stderr


@pytest.mark.parametrize("engaged", [True, False])
def test_commands_that_are_killed_leave_a_state(tmp_path: Path, engaged: bool) -> None:
    """Whenever the one is killed that writes: the file says what was so before, or what is so after."""
    path = file_of(tmp_path, SERVICE)
    change(path, engaged=not engaged, reason="before", by="api")
    source = f"""
from pathlib import Path
from otel_trading._native import change_latch
import sys
sys.stdout.write("x"); sys.stdout.flush()
while True:
    change_latch(Path({str(path)!r}), True, "a", "cli")
    change_latch(Path({str(path)!r}), False, "b" * 400, "cli")
"""
    for number in range(4):
        process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE)
        assert process.stdout is not None
        with process.stdout:
            assert process.stdout.read(1) == b"x"
        time.sleep(0.003 * (number + 1))
        process.send_signal(signal.SIGKILL)
        process.wait(WAIT)
        state = read(path)
        assert state is not None
        assert (state.reason, state.engaged) in {("before", not engaged), ("a", True), ("b" * 400, False)}
    _, state = change(path, engaged=engaged, reason="after", by="cli")
    assert state.engaged is engaged
