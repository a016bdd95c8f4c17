"""``kill -9`` at random moments: what was handed over before arrives with the next start."""

from __future__ import annotations

import random
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.started_bots import StartedBot
from tests.export.received import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.export.receiver import Mode, Receiver

TRADES = """
import logging, os, sys
from otel_trading import configure
telemetry = configure(runtime_enabled=False, span_delay=0.1, log_delay=0.1, metric_interval=0.2)
made, logger = telemetry.meter.create_counter("bot.made"), logging.getLogger("bot")
print("ready", flush=True)
first, number = int(sys.argv[1]), 0
while True:
    name = str(first + number)
    telemetry.tracer.start_span(name).end()
    logger.warning(name)
    made.add(1)
    os.write(1, f"{name}\\n".encode())
    number += 1
"""
DELIVERS = """
import sys
from otel_trading import configure
telemetry = configure(runtime_enabled=False)
print("ready", flush=True)
sys.stdin.readline()
telemetry.shutdown(30)
print(telemetry.status().signals["traces"].dropped, telemetry.status().signals["logs"].dropped)
"""
MODES: list[Mode] = ["healthy", "healthy", "refuse", 503, "swallow"]


class Killed(StartedBot):
    """A bot that trades until it is killed; its names begin at ``first``."""

    def __init__(self, folder: Path, first: int, **variables: str) -> None:
        super().__init__(TRADES.replace("int(sys.argv[1])", str(first)), folder, **variables)
        self.ready()

    def kill(self) -> int:
        """Kill it; up to which name it had handed everything over."""
        self.process.send_signal(signal.SIGKILL)
        _, out, _ = self.ended()
        complete = out[: out.rfind("\n") + 1].split()
        return int(complete[-1]) if complete else -1


@pytest.mark.parametrize("turns", [8, pytest.param(200, marks=pytest.mark.soak)])
def test_what_was_handed_over_arrives(receiver: Receiver, tmp_path: Path, turns: int) -> None:
    """Each start delivers what the one before it left; none of it is lost, and twice comes the same."""
    chance = random.Random(turns)  # noqa: S311 - not a secret
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_TIMEOUT": "500"}
    handed: set[str] = set()
    for turn in range(turns):
        first = turn * 10_000_000
        receiver.mode = chance.choice(MODES)
        with Killed(tmp_path, first, **variables) as bot:
            time.sleep(chance.uniform(0.0, 0.6))
            handed |= {str(name) for name in range(first, bot.kill() + 1)}
    receiver.mode = "healthy"
    with StartedBot(DELIVERS, tmp_path, **variables) as bot:
        bot.ready()
        eventually(lambda: handed <= set(receiver.counted("traces")), 60.0 + turns)
        eventually(lambda: handed <= set(receiver.counted("logs")), 60.0 + turns)
        assert bot.process.stdin is not None
        bot.process.stdin.write("\n")
        _, out, _ = bot.ended()
    assert out.strip() == "{} {}"
    ids = [(span.trace_id, span.span_id) for span in receiver.items("traces")]
    assert len(set(ids)) == len({span.name for span in receiver.items("traces")})
    records = {(record.body.string_value, uid(record)) for record in receiver.items("logs")}
    assert len(records) == len({record.body.string_value for record in receiver.items("logs")})


def uid(record: Any) -> str:
    """What tells a record from others."""
    return str(next(a.value.string_value for a in record.attributes if a.key == "log.record.uid"))
