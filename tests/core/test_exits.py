from __future__ import annotations

import mmap
import os
import random
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.core.started_bots import WAIT, StartedBot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver

    Start = Callable[..., StartedBot]

BEGIN = """
import asyncio, logging, os, signal, sys, threading, time
import otel_trading as ot
"""
MAKE = """
telemetry = ot.configure()
telemetry.meter.create_counter("bot.frames").add(7)
telemetry.tracer.start_span("tick").end()
logging.getLogger("bot").error("the end")
print("ready", flush=True)
"""
BOT = BEGIN + MAKE


@pytest.fixture
def start(tmp_path: Path, receiver: OtlpReceiver) -> Start:
    """Start a bot that sends to the receiver."""
    patient = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_TRADING_SHUTDOWN_TIMEOUT": f"{WAIT}"}
    return lambda source, **variables: StartedBot(source, tmp_path, **{**patient, **variables})


def all_arrived(receiver: OtlpReceiver) -> bool:
    """Whether what every bot here makes is there, once."""
    frames = [metric.sum.data_points[0].as_int for metric in receiver.metrics("bot.frames")]
    return (
        [span.name for span in receiver.spans] == ["tick"]
        and [record.body.string_value for record in receiver.logs] == ["the end"]
        and frames[-1:] == [7]
    )


ENDS = {
    "the last line": ("", None, 0),
    "sys.exit": ("sys.exit(3)", None, 3),
    "an exception": ("1 / 0", None, 1),
    "an exception in a coroutine": ("async def main(): 1 / 0\nasyncio.run(main())", None, 1),
    "Ctrl-C": ("time.sleep(600)", signal.SIGINT, -signal.SIGINT),
    "Ctrl-C in a coroutine": ("asyncio.run(asyncio.sleep(600))", signal.SIGINT, -signal.SIGINT),
    "SIGTERM": ("time.sleep(600)", signal.SIGTERM, -signal.SIGTERM),
    "SIGHUP": ("time.sleep(600)", signal.SIGHUP, -signal.SIGHUP),
    "SIGTERM in a coroutine": ("asyncio.run(asyncio.sleep(600))", signal.SIGTERM, -signal.SIGTERM),
    "SIGTERM in uvloop": ("import uvloop\nuvloop.run(asyncio.sleep(600))", signal.SIGTERM, -signal.SIGTERM),
    "SIGTERM in a loop": ("while True: pass", signal.SIGTERM, -signal.SIGTERM),
    "SIGTERM while waiting for a lock": ("threading.Event().wait()", signal.SIGTERM, -signal.SIGTERM),
    "SIGTERM while waiting for a thread": (
        "thread = threading.Thread(target=time.sleep, args=(600,))\nthread.start()\nthread.join()",
        signal.SIGTERM,
        -signal.SIGTERM,
    ),
    "SIGTERM while waiting for input": ("input()", signal.SIGTERM, -signal.SIGTERM),
    "SIGTERM from itself": ("signal.raise_signal(signal.SIGTERM)", None, -signal.SIGTERM),
    "SIGTERM from a thread": (
        "threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGTERM)).start()\ntime.sleep(600)",
        None,
        -signal.SIGTERM,
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_however_the_bot_ends_all_is_delivered(start: Start, receiver: OtlpReceiver, end: str) -> None:
    """It ends as it would without us, and what it made is there."""
    rest, number, status = ENDS[end]
    with start(BOT + rest) as bot:
        bot.ready()
        if number is not None:
            time.sleep(0.05)  # most of them are in their wait by then; it has to work in any case
            bot.process.send_signal(number)
        assert bot.ended()[0] == status
    assert all_arrived(receiver)


def test_ctrl_c_kills_a_bot_that_wants_it_so(start: Start, receiver: OtlpReceiver) -> None:
    """Where SIGINT has its default, it is a signal like SIGTERM."""
    with start(BEGIN + "signal.signal(signal.SIGINT, signal.SIG_DFL)" + MAKE + "time.sleep(600)") as bot:
        bot.ready().process.send_signal(signal.SIGINT)
        assert bot.ended() == (-signal.SIGINT, "", "the end\n")
    assert all_arrived(receiver)


LOADED = (
    BEGIN
    + """
import mmap
telemetry = ot.configure()
work = telemetry.meter.create_counter("bot.work")
bound, logger = work.bind({"k": 1}), logging.getLogger("bot")
logging.basicConfig(stream=open(os.devnull, "w"))
with open("made", "r+b") as file:
    made = mmap.mmap(file.fileno(), 8 * 4)

def trade(place):
    done = 0
    while True:
        with telemetry.tracer.start_as_current_span("work", attributes={"n": done}):
            logger.warning("work %d", done, extra={"n": done})
            bound.add(1)
            work.add(1, {"k": 2})
        done += 1
        made[8 * place : 8 * place + 8] = done.to_bytes(8, "little")

for place in range(1, int(sys.argv[1]) if sys.argv[1:] else int(os.environ["THREADS"])):
    threading.Thread(target=trade, args=(place,), daemon=True).start()
print("ready", flush=True)
trade(0)
"""
)


class Made:
    """How much a loaded bot has made so far, by thread, as it says itself."""

    def __init__(self, folder: Path) -> None:
        path = folder / "made"
        path.write_bytes(bytes(32))
        with path.open("r+b") as file:
            self._shared = mmap.mmap(file.fileno(), 32)

    def total(self) -> int:
        """Of all threads."""
        return sum(int.from_bytes(self._shared[at : at + 8], "little") for at in range(0, 32, 8))


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("seed", range(4))
def test_sigterm_under_load_loses_nothing(
    start: Start, receiver: OtlpReceiver, tmp_path: Path, seed: int, threads: int
) -> None:
    """At whatever moment: all spans, log records and counts made before it are there; one thread's to the item."""
    made = Made(tmp_path)
    queue = {f"OTEL_TRADING_{kind}_QUEUE_SIZE": "1000000" for kind in ("SPAN", "LOG")}
    with start(LOADED, THREADS=f"{threads}", OTEL_METRIC_EXPORT_INTERVAL="50", **queue) as bot:
        bot.ready()
        while made.total() < 100:
            time.sleep(0.001)
        time.sleep(random.Random(seed).random() / 4)  # noqa: S311 - any moment
        before = made.total()
        bot.process.send_signal(signal.SIGTERM)
        assert bot.ended() == (-signal.SIGTERM, "", "")
    bodies = [record.body.string_value for record in receiver.logs]
    points = receiver.metrics("bot.work")[-1].sum.data_points
    counts = [sum(point.as_int for point in points if point.attributes[0].value.int_value == k) for k in (1, 2)]
    arrived = [len(receiver.spans), len(bodies), *counts]
    assert min(arrived) >= before
    assert len({span.span_id for span in receiver.spans}) == len(receiver.spans)
    if threads == 1:
        after = made.total()
        assert {*arrived} <= {after, after + 1}
        assert len({*bodies}) == len(bodies)


def test_a_collector_that_hangs_costs_the_deadline(start: Start, receiver: OtlpReceiver) -> None:
    """The process ends by the signal, although nothing could be delivered."""
    receiver.hanging.set()
    with start(BOT + "time.sleep(600)", OTEL_TRADING_SHUTDOWN_TIMEOUT="1", OTEL_EXPORTER_OTLP_TIMEOUT="600000") as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        assert bot.ended()[0] == -signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(start: Start, receiver: OtlpReceiver, number: signal.Signals) -> None:
    """Also while a Collector hangs, and quietly."""
    receiver.hanging.set()
    variables = {"OTEL_TRADING_SHUTDOWN_TIMEOUT": "600", "OTEL_EXPORTER_OTLP_TIMEOUT": "600000"}
    silent = BOT.replace('print("ready", flush=True)', "")
    with start(
        f"{silent}try: print('ready', flush=True); time.sleep(600)\nexcept KeyboardInterrupt: pass", **variables
    ) as bot:
        bot.ready().process.send_signal(number)
        time.sleep(1.0)  # so that they are two, not one that is still pending
        assert bot.process.poll() is None
        bot.process.send_signal(number)
        status, out, err = bot.ended()
    assert (status, out, err) == (-number if number == signal.SIGTERM else 0, "", "the end\n")


def test_a_sigterm_during_a_normal_end_lets_it_finish(start: Start, receiver: OtlpReceiver) -> None:
    """Docker's stop finds a bot that is just ending: what it delivers then still arrives."""
    receiver.status = 503
    with start(BOT) as bot:
        bot.ready()
        time.sleep(1.0)
        bot.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        receiver.status = 200
        assert bot.ended()[0] in (0, -signal.SIGTERM)
    assert [span.name for span in receiver.spans] == ["tick"]
    assert [record.body.string_value for record in receiver.logs] == ["the end"]


HANDLERS = {
    "that exits": ("sys.exit(4)", 4),
    "that raises": ("raise RuntimeError('stop')", 1),
    "that goes on": ("print('handled', flush=True)", -signal.SIGKILL),
    "that shuts telemetry down": ("telemetry.shutdown(); os._exit(5)", 5),
}


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("what", HANDLERS)
def test_a_handler_of_the_bot_keeps_its_meaning(start: Start, receiver: OtlpReceiver, what: str, order: str) -> None:
    """Set before or after configure(), it decides; what was made by then arrives."""
    work, status = HANDLERS[what]
    handler = f"def handle(number, frame):\n    {work}\nsignal.signal(signal.SIGTERM, handle)\n"
    source = BEGIN + handler + MAKE if order == "before" else BOT.replace('print("ready"', handler + 'print("ready"')
    with start(source + "while True: time.sleep(0.01)") as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        if what == "that goes on":
            assert bot.line() == "handled"
            if order == "before":
                eventually(lambda: all_arrived(receiver))
            bot.process.kill()
        assert bot.ended()[0] == status
    assert all_arrived(receiver) or (what == "that goes on" and order == "after")


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_handler_that_calls_the_one_before_it(start: Start, receiver: OtlpReceiver) -> None:
    """Chained behind ours, and ours behind theirs at the next configure(): the default comes at the end."""
    source = """
previous = signal.getsignal(signal.SIGTERM)
def handle(number, frame):
    print("handled", flush=True)
    previous(number, frame)
signal.signal(signal.SIGTERM, handle)
ot.configure(service_name="other")
time.sleep(600)
"""
    with start(BOT + source) as bot:
        bot.ready()
        time.sleep(0.5)
        bot.process.send_signal(signal.SIGTERM)
        assert bot.ended()[:2] == (-signal.SIGTERM, "handled\n")
    assert all_arrived(receiver)


@pytest.mark.parametrize("order", ["before", "after"])
def test_an_ignored_signal_stays_ignored(start: Start, order: str) -> None:
    """As nohup sets it, or the bot."""
    ignore = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    source = BEGIN + ignore + MAKE if order == "before" else BOT.replace('print("ready"', ignore + 'print("ready"')
    with start(source + "print(input())") as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        bot.process.send_signal(signal.SIGHUP)
        assert bot.process.stdin is not None
        bot.process.stdin.write("still here\n")
        assert bot.ended()[:2] == (0, "still here\n")


ASYNC = """
async def main(configure):
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    configure("before")
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    configure("after")
    print("ready", flush=True)
    await stop.wait()
    print("stopped in order", flush=True)

def configure(when):
    if when == os.environ["WHEN"]:
        telemetry = ot.configure()
        telemetry.meter.create_counter("bot.frames").add(7)
        telemetry.tracer.start_span("tick").end()
        logging.getLogger("bot").error("the end")

{run}(main(configure))
"""


@pytest.mark.parametrize("run", ["asyncio.run", "import uvloop; uvloop.run"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_handler_of_the_loop_keeps_working(start: Start, receiver: OtlpReceiver, when: str, run: str) -> None:
    """Whether it is set before or after configure()."""
    with start(BEGIN + ASYNC.replace("{run}", run), WHEN=when) as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        assert bot.ended()[:2] == (0, "stopped in order\n")
    assert all_arrived(receiver)


ASLEEP = """
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # another thread is told: this one sleeps on
print("asleep", flush=True)
time.sleep(600)
"""
IN_A_CHILD = """
child = os.fork()
if child == 0:
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    {asleep}
print(child, flush=True)
os.waitpid(child, 0)
"""


def test_a_signal_that_comes_as_the_bot_goes_to_sleep_ends_the_sleep(start: Start, receiver: OtlpReceiver) -> None:
    """CPython notes it and calls no handler before the sleep is over."""
    with start(BOT + ASLEEP) as bot:
        assert bot.ready().line() == "asleep"
        bot.process.send_signal(signal.SIGTERM)
        assert bot.ended()[0] == -signal.SIGTERM
    assert all_arrived(receiver)


def test_so_it_is_in_a_forked_child(start: Start) -> None:
    """Which has none of its parent's timers."""
    with start(BOT + IN_A_CHILD.format(asleep=ASLEEP.replace("\n", "\n    "))) as bot:
        lines = {bot.ready().line(), bot.line()}
        child = int(next(iter(lines - {"asleep"})))
        os.kill(child, signal.SIGTERM)
        assert bot.ended()[0] == 0


def test_ctrl_c_cancels_tasks_as_ever(start: Start, receiver: OtlpReceiver) -> None:
    """asyncio.run cancels the main task, whose cleaning up is delivered, too."""
    source = """
async def main():
    try:
        await asyncio.sleep(600)
    finally:
        await asyncio.sleep(0)
        telemetry.tracer.start_span("closed").end()
asyncio.run(main())
"""
    with start(BOT + source) as bot:
        bot.ready()
        time.sleep(0.3)
        bot.process.send_signal(signal.SIGINT)
        status, _, err = bot.ended()
    assert status == -signal.SIGINT
    assert "KeyboardInterrupt" in err
    assert sorted(span.name for span in receiver.spans) == ["closed", "tick"]


def test_signals_are_taken_and_given_back(configured: Configure) -> None:
    """From configure() to shutdown(), unless somebody else took them meanwhile or the option says no."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    original = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever runs the tests may have it ignored
    configured().shutdown(2)  # another test's may still have them
    before = [signal.getsignal(number) for number in numbers]
    with configured(exit_signals=False):
        assert [signal.getsignal(number) for number in numbers] == before
    handle = configured()
    taken = [signal.getsignal(number) for number in numbers]
    assert [now is then for now, then in zip(taken, before, strict=True)] == [False, False, True]
    configured(log_level="ERROR")
    assert [signal.getsignal(number) for number in numbers] == taken
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        handle.shutdown(2)
        assert [signal.getsignal(number) for number in numbers] == [before[0], signal.SIG_IGN, before[2]]
    finally:
        signal.signal(signal.SIGHUP, original)


def test_in_another_thread_signals_are_left_alone(configured: Configure) -> None:
    """Only the main thread may set handlers; configure() works elsewhere, too."""
    configured().shutdown(2)
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=configured)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_sigterm_after_shutdown_ends_the_bot(start: Start) -> None:
    """Also when another thread shut down, which cannot give signals back."""
    source = BOT.replace(
        'print("ready"', 'threading.Thread(target=telemetry.shutdown).start()\ntelemetry.ended.wait()\nprint("ready"'
    )
    with start(source + "time.sleep(600)") as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        assert bot.ended()[0] == -signal.SIGTERM


NO_MORE_THREADS = """
import atexit
from opentelemetry.sdk.trace import SpanProcessor

class Closing(SpanProcessor):
    def shutdown(self):
        print("closed", flush=True)

telemetry.tracer_provider.add_span_processor(Closing())

def refuse(*_, **__):
    raise RuntimeError("can't create new thread at interpreter shutdown")

def end():
    import _thread
    _thread.start_new_thread = threading._start_new_thread = threading.Thread.start = refuse

atexit.register(end)
"""


def test_an_end_without_new_threads(start: Start, receiver: OtlpReceiver) -> None:
    """As Python 3.12 and later end, here made up: all is delivered, and what others added is closed, without a word."""
    with start(BOT + NO_MORE_THREADS) as bot:
        bot.ready()
        assert bot.ended() == (0, "closed\n", "the end\n")
    assert all_arrived(receiver)
