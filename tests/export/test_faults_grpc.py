"""The whole delivery over gRPC."""

from __future__ import annotations

import logging
import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.core.started_bots import StartedBot
from tests.export.grpc_receiver import GrpcReceiver
from tests.export.received import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.export.conftest import Bot

SOME = 40


@pytest.fixture
def grpc_receiver() -> Iterator[GrpcReceiver]:
    with GrpcReceiver() as running:
        yield running


@pytest.mark.parametrize("mode", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "hang"])
def test_an_outage_costs_nothing(bot: Bot, grpc_receiver: GrpcReceiver, mode: str) -> None:
    """As over HTTP."""
    telemetry = bot(protocol="grpc", endpoint=grpc_receiver.url, timeout=1.0)
    grpc_receiver.mode = mode
    for number in range(SOME):
        telemetry.tracer.start_span(f"{number}").end()
        logging.getLogger("bot").warning("%d", number)
    telemetry.meter.create_counter("bot.made").add(SOME)
    assert not telemetry.flush(1.5)
    eventually(lambda: all(account.retried for account in telemetry.status().signals.values()))
    grpc_receiver.mode = "healthy"
    assert telemetry.flush(60.0)
    for signal in ("traces", "logs"):
        arrived, account = grpc_receiver.counted(signal), telemetry.status().signals[signal]
        assert set(arrived) == {str(number) for number in range(SOME)}
        assert arrived.total() - SOME <= account.repeated
        assert (account.sent, account.dropped) == (SOME, {})
    assert grpc_receiver.counted("metrics")["bot.made"] >= 1


FORKS = """
import logging, os, threading, time
from otel_trading import configure
telemetry = configure(runtime_enabled=False, span_delay=0.01, log_delay=0.01, metric_interval=0.05)
stop, names = threading.Event(), iter(range(1 << 40))

def trade():
    while not stop.is_set():
        telemetry.tracer.start_span("parent's").end()
        time.sleep(0.002)

threads = [threading.Thread(target=trade) for _ in range(2)]
for thread in threads:
    thread.start()
print("ready", flush=True)
ended = []
for number in range(int(os.environ["FORKS"])):
    pid = os.fork()
    if pid == 0:
        telemetry.tracer.start_span(f"child {number}").end()
        logging.getLogger("bot").warning("child %d", number)
        telemetry.shutdown(1.0)
        os._exit(0)
    ended.append(os.waitpid(pid, 0)[1])
stop.set()
for thread in threads:
    thread.join()
print(*ended, flush=True)
import sys
sys.stdin.readline()
telemetry.shutdown(10)
"""


def test_forked_children(grpc_receiver: GrpcReceiver, tmp_path: Path) -> None:
    """None hangs, and none is ended by its telemetry; what a child has no time to send its parent finds."""
    forks = 20
    variables = {
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_ENDPOINT": grpc_receiver.url,
        "FORKS": f"{forks}",
    }
    expected = Counter(f"child {number}" for number in range(forks))
    with StartedBot(FORKS, tmp_path, **variables) as running:
        running.extend(240)
        running.ready()
        assert running.line().split() == ["0"] * forks
        for signal in ("traces", "logs"):
            eventually(lambda signal=signal: set(expected) <= set(grpc_receiver.counted(signal)), 120.0)  # type: ignore[misc]
        assert running.process.stdin is not None
        running.process.stdin.write(os.linesep)
        status, _, err = running.ended()
    assert status == 0, err
