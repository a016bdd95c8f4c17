from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, NoReturn

from otel_trading import runtime as package
from otel_trading.runtime import worker as worker_module
from otel_trading.runtime.troubles import Troubles
from otel_trading.runtime.worker import Worker
from tests.runtime.conftest import Captured, eventually

if TYPE_CHECKING:
    import pytest

    from tests.runtime.conftest import Start


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "otel-runtime"]


def test_exported_names_are_the_documented_ones() -> None:
    """What users may import, and that it is there."""
    assert sorted(package.__all__) == package.__all__
    assert all(hasattr(package, name) for name in package.__all__)


def test_starting_again_changes_the_options_only(captured: Captured, start: Start) -> None:
    """There is one runtime with one thread for everything, whatever is on and however often it is started."""
    runtime = start(gc=True, event_loops=True, process=True, system=True)
    (thread,) = threads()
    assert start(gc=True, event_loops=True, process=True, system=True) is runtime
    assert threads() == [thread]
    assert start(process=True) is runtime
    assert eventually(lambda: captured.points("process.memory.usage") and not captured.points("system.memory.usage"))
    assert len(threads()) == 1
    assert not thread.is_alive()


def test_another_meter_replaces_the_runtime(captured: Captured, start: Start) -> None:
    """What the first one measured ends, so nothing is measured twice."""
    first = start(gc=True, process=True)
    other = Captured()
    second = package.start_runtime(other.meter, first.options)
    assert second is not first
    assert (first.running, second.running) == (False, True)
    assert len(threads()) == 1
    assert eventually(lambda: other.points("process.memory.usage"))
    assert captured.points("process.memory.usage") == []


def test_stop_ends_the_thread_and_what_is_shown(captured: Captured, start: Start) -> None:
    """After a stop nothing is reported of what is no longer measured; a second stop does nothing, a start works."""
    runtime = start(gc=True, event_loops=True, process=True)
    assert eventually(lambda: captured.points("process.memory.usage"))
    assert runtime.stop()
    assert runtime.stop()
    assert threads() == []
    assert captured.points("process.memory.usage") == []
    assert captured.points("trading.runtime.event_loop.stalled") == []
    start(process=True)
    assert eventually(lambda: captured.points("process.memory.usage"))


def test_thread_survives_every_job_that_fails(captured: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that raises is counted, said once and tried again; the others run on, and so does the thread."""
    monkeypatch.setattr(worker_module, "_AFTER_FAILURE", 0.01)
    worker = Worker(Troubles(captured.meter))
    ran: list[float] = []

    def fails(_: float) -> NoReturn:
        raise RuntimeError("out of luck")

    def works(now: float) -> float:
        ran.append(now)
        return now + 0.01

    def wrong(_: float) -> Any:
        return "tomorrow"

    worker.start({"fails": fails, "works": works, "wrong": wrong})

    def counted() -> dict[Any, float]:
        return captured.by("trading.runtime.errors", "trading.runtime.component")

    assert eventually(lambda: counted().get("fails", 0) >= 3 and counted().get("thread", 0) >= 1 and len(ran) >= 3)
    assert worker.stop(10)


def test_thread_that_hangs_is_left_behind(captured: Captured) -> None:
    """A stop does not wait for ever, and a new start is not disturbed by the old thread, which ends when it can."""
    worker = Worker(Troubles(captured.meter))
    release, ran = threading.Event(), threading.Event()

    def hangs(now: float) -> float:
        release.wait()
        return now

    def works(now: float) -> float:
        ran.set()
        return now + 0.01

    worker.start({"hangs": hangs})
    (old,) = threads()
    assert not worker.stop(0.05)
    worker.start({"works": works})
    assert ran.wait(60)
    release.set()
    old.join(60)
    assert not old.is_alive()
    assert len(threads()) == 1
    assert worker.stop(60)


def test_no_thread_to_be_had_is_counted(
    captured: Captured, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The bot goes on without runtime telemetry, and one line says why."""

    def refuse(_: threading.Thread) -> NoReturn:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    runtime = start(process=True)
    assert runtime.errors == 1
    assert "can't start new thread" in caplog.messages[0]
    assert runtime.stop()


FORKING = """
import asyncio, contextlib, gc, json, os, threading
from otel_trading.runtime import RuntimeOptions, control, start_runtime
from tests.runtime.conftest import Captured, eventually

def sampled():
    return eventually(lambda: captured.points("process.memory.usage"))

def alive():
    return sum(thread.name == "otel-runtime" and thread.is_alive() for thread in threading.enumerate())

def state():
    threads, loops = alive(), len(runtime.loops._beats)
    for voice in voices:
        voice.kept_back("a thing")
    asyncio.run(asyncio.sleep(0.1))
    gc.collect()
    assert sampled()
    runtime.stop()
    pauses, lags = captured.points("trading.runtime.gc.duration"), captured.points("trading.runtime.event_loop.lag")
    return {
        "threads": threads,
        "loops": loops,
        "left": alive(),
        "pauses": sum(each.count for each in pauses),
        "lag": sum(each.count for each in lags) > 0,
        "errors": runtime.errors,
    }

async def fork_in_a_loop():
    gc.collect()  # measured, and not recorded when the process forks
    reading, writing = os.pipe()
    with contextlib.ExitStack() as held_when_it_forks:
        for voice in voices:
            held_when_it_forks.enter_context(voice._lock)
        child = os.fork()
        if child == 0:
            asyncio.events._set_running_loop(None)
            os.write(writing, json.dumps(state()).encode())
            os._exit(0)
    os.close(writing)
    with open(reading) as answers:
        text = answers.read()
    os.waitpid(child, 0)
    return json.loads(text)

gc.disable()
control.GC_INTERVAL = 3600
captured = Captured()
runtime = start_runtime(captured.meter, RuntimeOptions(interval=0.05, heartbeat=0.01))
os.register_at_fork(after_in_child=runtime.restart_in_child)
voices = [runtime.loops._voice, runtime.thresholds._voice, runtime.slow_operations._voice]
assert sampled()
child = asyncio.run(fork_in_a_loop())
print(json.dumps({"child": child, "parent": state()}))
"""


def test_forked_child_begins_anew_and_the_parent_loses_nothing() -> None:
    """The child of a running loop has its own thread, loops and locks, and only its own pauses."""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKING]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.stderr == ""
    answer = json.loads(done.stdout)
    same = {"threads": 1, "loops": 0, "left": 0, "lag": True, "errors": 0}
    assert answer["child"] == {**same, "pauses": 1}
    assert answer["parent"] == {**same, "pauses": 2}
