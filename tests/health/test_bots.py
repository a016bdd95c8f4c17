"""Health of real bots, in processes of their own."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

from tests.core.started_bots import StartedBot

if TYPE_CHECKING:
    from pathlib import Path

_QUIET = 'traces_exporter="none", metrics_exporter="none", logs_exporter="none", health_interval=0.1'

STUCK = f"""
import asyncio, json, sys, threading, time
import otel_trading as ot
from otel_trading.health import health_json

telemetry = ot.configure({_QUIET})

@telemetry.health.check("custom", interval=0.2)
def custom():
    return {{"fine": True}}

def say():
    print(json.dumps(health_json(telemetry.health.report())), flush=True)

def watching():
    time.sleep(7)
    say()

def wait_for_an_answer():
    time.sleep(10)

async def decide():
    wait_for_an_answer()

async def main():
    print("ready", flush=True)
    await asyncio.sleep(1.5)
    say()
    threading.Thread(target=watching).start()
    await decide()
    await asyncio.sleep(1)
    say()

asyncio.run(main())
telemetry.shutdown()
"""


def test_a_report_says_where_the_loop_is_stuck_while_it_is(tmp_path: Path) -> None:
    """Blocked for ten seconds: asked after seven it is down, not ready, and the stack names the culprit."""
    with StartedBot(STUCK, tmp_path) as bot:
        before, stuck, after = _told(bot), _told(bot), _told(bot)
        assert bot.ended()[0] == 0
    assert (before["status"], before["services"]["event_loop MainThread"]["status"]) == ("healthy", "healthy")
    loop = stuck["services"]["event_loop MainThread"]
    assert (stuck["status"], stuck["ready"], loop["status"]) == ("down", False, "down")
    assert stuck["not_ready"] == ["event_loop MainThread is down"]
    assert "wait_for_an_answer" in loop["details"]["stack"][0]
    assert "decide" in loop["details"]["stack"][1]
    assert loop["details"]["overdue_seconds"] > 5
    assert stuck["dependencies"]["custom"]["status"] == "healthy"
    assert (after["status"], after["services"]["event_loop MainThread"]["status"]) == ("healthy", "healthy")


FORKED = f"""
import json, os, time
import otel_trading as ot

telemetry = ot.configure({_QUIET})
with telemetry.health.watched("worker", timeout=60):
    telemetry.trading.connection_changed("binance", "disconnected")
    telemetry.health.check("custom", lambda: True, interval=0.1)
    time.sleep(1)
    print("ready", flush=True)
    if os.fork() == 0:
        report = telemetry.health.report()
        print(json.dumps([component.name for component in report.components]), flush=True)
        os._exit(0)
    os.wait()
    print(json.dumps([component.name for component in telemetry.health.report().components]), flush=True)
telemetry.shutdown()
"""


def test_a_forked_child_knows_nothing_of_its_parents_threads(tmp_path: Path) -> None:
    """Nor of its connections; the parent goes on."""
    with StartedBot(FORKED, tmp_path) as bot:
        bot.ready()
        child, parent = json.loads(bot.line()), json.loads(bot.line())
        assert bot.ended()[0] == 0
    assert {"thread worker", "venue binance"} <= set(parent)
    assert not {"thread worker", "venue binance"} & set(child)
    assert "custom" in child


HUNG = f"""
import asyncio, socket, sys, threading, time
import otel_trading as ot

telemetry = ot.configure({_QUIET})
telemetry.health.check("hung", lambda: threading.Event().wait(), interval=0.1, timeout=0.2)
socket.getaddrinfo = lambda *args, **kwargs: threading.Event().wait()
telemetry.health.check("resolving", ot.health.tcp("some.host", 1), interval=0.1, timeout=0.2)
time.sleep(1)
print("ready", flush=True)
began = time.monotonic()
telemetry.shutdown()
print(time.monotonic() - began, flush=True)
"""


def test_what_hangs_does_not_keep_a_bot_from_ending(tmp_path: Path) -> None:
    """Neither a function nor a resolver: the process is gone in time."""
    with StartedBot(HUNG, tmp_path) as bot:
        bot.ready()
        assert float(bot.line()) < 5
        assert bot.ended()[0] == 0


def test_a_bot_that_is_told_to_end_ends(tmp_path: Path) -> None:
    """With checks under way."""
    source = f"""
import time
import otel_trading as ot
telemetry = ot.configure({_QUIET}, health_checks={{"x": "dns://localhost;interval=0.1"}})
print("ready", flush=True)
time.sleep(60)
"""
    with StartedBot(source, tmp_path) as bot:
        bot.ready()
        bot.process.send_signal(signal.SIGTERM)
        assert bot.ended()[0] in {-signal.SIGTERM, 128 + signal.SIGTERM}


def _told(bot: StartedBot) -> dict[str, Any]:
    line = bot.line()
    while line == "ready":
        line = bot.line()
    found: dict[str, Any] = json.loads(line)
    return found
