"""Real processes and real signals."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.core.started_bots import WAIT
from tests.environment import bare
from tests.lifecycle.conftest import BEGIN

if TYPE_CHECKING:
    from pathlib import Path

    from tests.core.otlp_receiver import OtlpReceiver
    from tests.lifecycle.conftest import Start

STEPS = """
import atexit
atexit.register(print, "atexit", flush=True)

async def cancel_orders():
    await asyncio.sleep(0.01)
    print("cancel_orders", flush=True)

def save_state():
    print("save_state", flush=True)

async def main():
    try:
        async with telemetry.running(save_state, cancel_orders) as run:
            print("ready", flush=True)
            try:
                await asyncio.sleep(600)
            finally:
                print("body", flush=True)
    finally:
        print("finally", flush=True)
"""
IN_ORDER = ["body", "cancel_orders", "save_state", "finally", "atexit"]


@pytest.mark.parametrize("run", ["asyncio.run(main())", "import uvloop; uvloop.run(main())"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_bot_in_order(start: Start, receiver: OtlpReceiver, number: signal.Signals, run: str) -> None:
    """Body, steps, what is around the block, atexit; then the process ends by the signal, and all was delivered."""
    with start(STEPS + run) as bot:
        bot.ready().process.send_signal(number)
        status, out, err = bot.ended()
    assert (status, out.split()) == (-number, IN_ORDER)
    assert "Traceback" not in err
    assert f"shutdown complete: {number.name}, 4 steps" in err
    spans = {span.name: span for span in receiver.spans}
    assert set(spans) == {"shutdown", "body", "cancel_orders", "save_state"}
    assert {span.parent_span_id for name, span in spans.items() if name != "shutdown"} == {spans["shutdown"].span_id}
    lines = [record.body.string_value for record in receiver.logs]
    assert lines.count("shutdown step") == 3
    assert receiver.metrics("trading.shutdown.duration")


def test_two_bots_of_threads_end_in_order_too(start: Start) -> None:
    """A body that sleeps in the main thread is interrupted there."""
    source = """
def cancel_orders(): print("cancel_orders", flush=True)
def stop_new_orders(): print("stop_new_orders", flush=True)
with telemetry.running(cancel_orders, stop_new_orders):
    print("ready", flush=True)
    try:
        time.sleep(600)
    finally:
        print("body", flush=True)
"""
    with start(source) as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        status, out, err = bot.ended()
    assert (status, out.split()) == (-signal.SIGTERM, ["stop_new_orders", "body", "cancel_orders"])
    assert "Traceback" not in err


BODIES = {
    "a loop": "while True: pass",
    "a lock": "threading.Event().wait()",
    "a thread": "t = threading.Thread(target=time.sleep, args=(600,), daemon=True); t.start(); t.join()",
    "a pipe": "os.read(os.pipe()[0], 1)",
    "telemetry": "log = telemetry.log('bot')\n    while True: log.info('x'); telemetry.tracer.start_span('y').end()",
    "run.should_stop": "while not run.should_stop: time.sleep(0.01)",
    "run.wait": "run.wait()",
}


@pytest.mark.parametrize("body", BODIES)
def test_whatever_the_main_thread_does_it_ends(start: Start, body: str) -> None:
    """Interrupted, or by itself."""
    source = f"""
with telemetry.running(lambda: print("step", flush=True)) as run:
    print("ready", flush=True)
    {BODIES[body]}
print("not reached")
"""
    with start(source) as bot:
        bot.ready()
        time.sleep(0.2)
        bot.process.send_signal(signal.SIGTERM)
        status, out, err = bot.ended()
    assert (status, out) == (-signal.SIGTERM, "step\n"), err
    assert ("interrupted" in err) != body.startswith("run.")


@pytest.mark.parametrize(
    ("exits", "status", "rest"), [("zero", 0, ""), ("return", 0, "after\n"), ("signal", -signal.SIGTERM, "")]
)
def test_how_the_process_goes_on(start: Start, exits: str, status: int, rest: str) -> None:
    """By the signal, with status 0, or behind the block."""
    source = """
async def main():
    async with telemetry.running():
        print("ready", flush=True)
        await asyncio.sleep(600)
    print("after", flush=True)
asyncio.run(main())
"""
    with start(source, OTEL_TRADING_ENDING_EXIT=exits) as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        assert bot.ended()[:2] == (status, rest)


def test_who_catches_the_end_decides(start: Start) -> None:
    """A bot that catches SystemExit or KeyboardInterrupt ends as it wants to."""
    source = """
async def main():
    async with telemetry.running():
        print("ready", flush=True)
        await asyncio.sleep(600)
try:
    asyncio.run(main())
except (SystemExit, KeyboardInterrupt) as error:
    print(type(error).__mro__[-3].__name__, error.args, flush=True)
"""
    for number, said in ((signal.SIGTERM, "(143,)"), (signal.SIGINT, "()")):
        with start(source) as bot:
            bot.ready().process.send_signal(number)
            status, out, _ = bot.ended()
        assert (status, said in out) == (0, True), out


HANGING = """
def cancel_orders(): time.sleep(600)
def save_state(): print("saved", flush=True)
async def main():
    async with telemetry.running(cancel_orders, save_state, step_timeout=300, timeout=500):
        print("ready", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


def test_a_second_signal_hurries(start: Start) -> None:
    """What hangs is left behind soon, and what comes after it is done."""
    with start(HANGING) as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        time.sleep(1.0)  # so that they are two
        assert bot.process.poll() is None
        bot.process.send_signal(signal.SIGTERM)
        status, out, err = bot.ended()
    assert (status, out) == (-signal.SIGTERM, "saved\n")
    assert "hurried by 2 signals" in err
    assert "cancel_orders  LEFT BEHIND" in err


def test_a_third_signal_ends_it_at_once(start: Start) -> None:
    """Nothing more is done."""
    slow = HANGING.replace("timeout=500", "timeout=500") + ""
    with start(slow, OTEL_TRADING_ENDING_HURRY="400") as bot:
        bot.ready()
        for _ in range(3):
            assert bot.process.poll() is None
            bot.process.send_signal(signal.SIGTERM)
            time.sleep(0.7)
        assert bot.ended()[:2] == (-signal.SIGTERM, "")


def test_two_signals_at_the_same_moment_are_one(start: Start) -> None:
    """As a terminal and a supervisor send them."""
    with start(STEPS + "asyncio.run(main())") as bot:
        bot.ready().process.send_signal(signal.SIGINT)
        bot.process.send_signal(signal.SIGTERM)
        status, out, err = bot.ended()
    assert status in (-signal.SIGINT, -signal.SIGTERM)
    assert out.split() == IN_ORDER
    assert "hurried" not in err


def test_handlers_of_the_loop_are_called_beside(start: Start) -> None:
    """What the bot added to its loop before keeps working; the block ends all the same, and then gives it back."""
    source = """
async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: print("handled", flush=True))
    async with telemetry.running(exit="return"):
        print("ready", flush=True)
        await asyncio.sleep(600)
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.2)
    print("still here", flush=True)
asyncio.run(main())
"""
    with start(source) as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        assert bot.ended()[:2] == (0, "handled\nhandled\nstill here\n")


def test_before_and_after_the_block_the_usual_rules_hold(start: Start, receiver: OtlpReceiver) -> None:
    """SIGTERM ends the bot where it is, and all is delivered; also after a reconfiguration in the block."""
    source = """
async def main():
    async with telemetry.running(exit="return") as run:
        ot.configure(service_name="other")
        run.stop("enough")
        await asyncio.sleep(600)
    telemetry.tracer.start_span("tick").end()
    print("ready", flush=True)
    time.sleep(600)
asyncio.run(main())
"""
    with start(source) as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        assert bot.ended()[0] == -signal.SIGTERM
    assert "tick" in {span.name for span in receiver.spans}


def test_in_the_block_a_reconfiguration_changes_nothing(start: Start) -> None:
    """Its signals stay its own."""
    reconfigured = STEPS.replace('print("ready"', 'ot.configure(service_name="other"); print("ready"')
    with start(reconfigured + "asyncio.run(main())") as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        status, out, _ = bot.ended()
    assert (status, out.split()) == (-signal.SIGTERM, IN_ORDER)


def test_ignored_signals_stay_ignored_and_hup_is_taken_if_wanted(start: Start) -> None:
    """As nohup sets it; without that SIGHUP ends the block where it is among its signals."""
    source = STEPS.replace("cancel_orders) as run", 'cancel_orders, signals=["hup", "TERM"]) as run')
    with start("signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + source + "asyncio.run(main())") as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert bot.process.poll() is None
        bot.process.send_signal(signal.SIGHUP)
        status, out, _ = bot.ended()
    assert (status, out.split()) == (-signal.SIGHUP, IN_ORDER)


def test_a_block_in_another_thread_is_ended_by_sigterm(start: Start) -> None:
    """Several loops in threads: the handler of configure() hands the signal over."""
    source = """
async def main():
    async with telemetry.running(lambda: print("step", flush=True), exit="return"):
        print("ready", flush=True)
        await asyncio.sleep(600)
thread = threading.Thread(target=asyncio.run, args=(main(),))
thread.start()
thread.join()
print("joined", flush=True)
"""
    with start(source) as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        assert bot.ended()[:2] == (0, "step\njoined\n")


def test_a_forked_child_ends_nothing_of_its_parent(start: Start) -> None:
    """It leaves the block without a step, and its own signals do what they always do."""
    source = """
with telemetry.running(lambda: print(f"step of {os.getpid() == parent}", flush=True)) as run:
    parent = os.getpid()
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(there, b"x")
        time.sleep(600)
    os.read(here, 1)  # CPython forgets a signal that comes before the child is whole
    other = os.fork()
    if other:
        os.kill(child, signal.SIGTERM)
        print("child", os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
        print("other", os.waitpid(other, 0)[1], flush=True)
"""
    with start(source) as bot:
        status, out, _ = bot.ended()
    assert (status, out.splitlines()) == (0, ["child 15", "other 0", "step of True"])


def test_ctrl_c_in_a_terminal(tmp_path: Path) -> None:
    """Typed once it ends the bot in order, with a table on the screen and no traceback."""
    script = tmp_path / "bot.py"
    script.write_text(BEGIN + STEPS + "asyncio.run(main())", "utf-8")
    settings = {
        "OTEL_TRADING_OPS_ENABLED": "false",
        "OTEL_TRADING_BANNER": "false",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "COLUMNS": "120",
    }
    child, master = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, str(script)], bare(**settings))  # noqa: S606 - in a terminal of its own
    screen = b""
    end = time.monotonic() + WAIT
    try:
        typed = False
        while time.monotonic() < end:
            try:
                part = os.read(master, 65_536)
            except OSError:
                break
            if not part:
                break
            screen += part
            if not typed and b"ready" in screen:
                os.write(master, b"\x03")
                typed = True
        _, status = os.waitpid(child, 0)
    finally:
        os.close(master)
    shown = screen.decode()
    assert os.WIFSIGNALED(status), shown
    assert os.WTERMSIG(status) == signal.SIGINT
    assert "shutdown complete: SIGINT" in shown
    assert "│" in shown or "┃" in shown
    assert "Traceback" not in shown


def test_without_telemetry_it_works_the_same(start: Start) -> None:
    """Switched off by the environment, or because it could not be set up."""
    broken = "import otel_trading.building\notel_trading.building.build_pipeline = None\n"
    for before, variables in (("", {"OTEL_SDK_DISABLED": "true"}), (broken, {})):
        with start(before + "telemetry = ot.configure()\n" + STEPS + "asyncio.run(main())", **variables) as bot:
            bot.ready().process.send_signal(signal.SIGTERM)
            status, out, err = bot.ended()
        assert (status, out.split()) == (-signal.SIGTERM, IN_ORDER), err


def test_a_shell_sees_the_signal(tmp_path: Path) -> None:
    """The status is that of a program that a signal ended."""
    script = tmp_path / "bot.py"
    script.write_text(BEGIN + STEPS + "asyncio.run(main())", "utf-8")
    command = (
        f"{sys.executable} {script} & pid=$!; while ! grep -q ready out; do sleep 0.05; done; kill $pid; wait $pid"
    )
    (tmp_path / "out").touch()
    shell = subprocess.run(
        ["bash", "-c", f"exec >out; {command}"],
        cwd=tmp_path,
        env=bare(OTEL_TRADING_OPS_ENABLED="false", OTEL_SDK_DISABLED="true"),
        timeout=WAIT,
        check=False,
    )
    assert shell.returncode == 143
