"""What hangs, blocks or raises at the end: it comes within its time every time."""

from __future__ import annotations

import signal
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.core.started_bots import WAIT

if TYPE_CHECKING:
    from tests.core.otlp_receiver import OtlpReceiver
    from tests.lifecycle.conftest import Start

BOT = """
def save_state():
    print("saved", flush=True)
async def hang(): await asyncio.sleep(600)
async def stubborn():
    while True:
        try: await asyncio.sleep(600)
        except asyncio.CancelledError: pass
async def body():
    await asyncio.sleep(600)
async def block(): time.sleep(600)
async def cancel_orders():
    {cancel}
async def main():
    async with telemetry.running({given}, save_state):
        print("ready", flush=True)
        {body}
"""
RUN = "asyncio.run(main())"
QUICK = {
    "OTEL_TRADING_ENDING_TIMEOUT": "4",
    "OTEL_TRADING_ENDING_STEP_TIMEOUT": "1",
    "OTEL_TRADING_ENDING_GRACE": "0.5",
    "OTEL_TRADING_SHUTDOWN_TIMEOUT": "1",
}
TOTAL = 4.0
MARGIN = 16.0
"""Seconds by which a busy machine may be late."""

CASES = {
    "nothing": ("pass", "cancel_orders", "await hang()", "cancel_orders    ok"),
    "a step that raises": ("raise ValueError('no')", "cancel_orders", "await hang()", "FAILED"),
    "a step that exits": ("sys.exit(3)", "cancel_orders", "await hang()", "FAILED"),
    "a step that hangs": ("await hang()", "cancel_orders", "await hang()", "TIMED OUT"),
    "a step that does not want to": ("await stubborn()", "cancel_orders", "await hang()", "LEFT BEHIND"),
    "a step that blocks the loop": ("time.sleep(600)", "cancel_orders", "await hang()", "LEFT BEHIND"),
    "a function that hangs": ("pass", "lambda: time.sleep(600)", "await hang()", "LEFT BEHIND"),
    "a body that blocks the loop": ("pass", "cancel_orders", "time.sleep(600)", "body             LEFT BEHIND"),
    "a body that spins": ("pass", "cancel_orders", "while True: pass", "body             LEFT BEHIND"),
    "a body that does not want to": ("pass", "cancel_orders", "await stubborn()", "body             LEFT BEHIND"),
}


@pytest.mark.parametrize(
    ("case", "collector"),
    [*((case, "well") for case in CASES), ("nothing", "hangs"), ("a step that blocks the loop", "hangs")],
)
def test_the_end_comes_in_time(start: Start, receiver: OtlpReceiver, case: str, collector: str) -> None:
    """The other steps are done, the process ends by the signal, and the report says what went wrong."""
    cancel, given, body, said = CASES[case]
    if collector == "hangs":
        receiver.hanging.set()
    source = BOT.format(cancel=cancel, given=given, body=body) + RUN
    with start(source, **QUICK) as bot:
        bot.ready()
        time.sleep(0.2)
        began = time.monotonic()
        bot.process.send_signal(signal.SIGTERM)
        status, out, err = bot.ended()
        seconds = time.monotonic() - began
    assert (status, out) == (-signal.SIGTERM, "saved\n"), err
    assert seconds < TOTAL + MARGIN
    assert " ".join(said.split()) in " ".join(err.split()), err
    if collector == "well":
        assert "shutdown" in {span.name for span in receiver.spans}
        assert "cancel_orders" in {span.name for span in receiver.spans} or given != "cancel_orders"


def test_a_stuck_loop_does_not_keep_orders_open(start: Start) -> None:
    """What the bot's loop cannot do any more is done on another one."""
    source = BOT.format(cancel="print('cancelled', flush=True)", given="cancel_orders", body="time.sleep(600)") + RUN
    with start(source, **QUICK) as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        status, out, err = bot.ended()
    assert (status, out.split()) == (-signal.SIGTERM, ["cancelled", "saved"])
    assert "the event loop is stuck, done on another one" in err


def test_without_a_signal_a_stuck_block_is_ended_too(start: Start) -> None:
    """With a status that says that the software is at fault."""
    source = BOT.format(cancel="time.sleep(600)", given="cancel_orders", body="telemetry.stop('enough')") + RUN
    with start(source, **QUICK) as bot:
        bot.ready()
        status, out, err = bot.ended()
    assert (status, out) == (70, "saved\n")
    assert "the block cannot be left: it is ended without it" in err


def test_what_hangs_behind_the_block_is_ended(start: Start) -> None:
    """A finally around it, or an executor's thread, has what is left of the time."""
    source = """
async def main():
    try:
        async with telemetry.running():
            loop = asyncio.get_running_loop()
            loop.run_in_executor(None, time.sleep, 600)
            print("ready", flush=True)
            await asyncio.sleep(600)
    finally:
        print("finally", flush=True)
asyncio.run(main())
"""
    with start(source, **QUICK) as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        status, out, _ = bot.ended()
    assert (status, out) == (-signal.SIGTERM, "finally\n")


def test_a_venue_that_never_answers(start: Start) -> None:
    """The step is cut off, and says which orders may still be open."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        accepted: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    accepted.append(silent.accept()[0])
                except OSError:
                    return

        threading.Thread(target=accept, daemon=True).start()
        source = f"""
from otel_trading.demo.exchange import make_exchange
telemetry.trading.order_submitted("c-1", venue="binance", symbol="BTC/USDT", side="buy", quantity=1, price=1)
async def main():
    exchange = make_exchange("spot", "http://127.0.0.1:{silent.getsockname()[1]}")
    async with telemetry.running(telemetry.lifecycle.cancel_open_orders(exchange), disconnect := exchange.close):
        print("ready", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
        with start(source, **QUICK) as bot:
            bot.ready()
            began = time.monotonic()
            bot.process.send_signal(signal.SIGTERM)
            status, _, err = bot.ended()
            seconds = time.monotonic() - began
        for each in accepted:
            each.close()
    assert status == -signal.SIGTERM
    assert seconds < TOTAL + MARGIN < WAIT
    assert "TIMED OUT" in err
    assert "binance: 0 cancelled, 1 may still be open (c-1), the venue did not say what is open" in err
