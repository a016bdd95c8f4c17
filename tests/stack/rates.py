"""A bot that makes telemetry as fast as it is asked to, and a Collector that has nothing to do but to take it in."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import requests

from otel_trading.bench.sink import collector, free_port
from otel_trading.stack.binaries import find_binary
from tests.environment import bare
from tests.stack.sending import eventually


def accepted(url: str, items: str) -> int:
    """How many items a Collector took: ``spans``, ``log_records``."""
    counter = rf"^otelcol_receiver_accepted_{items}_total\{{.*\}} (\S+)$"
    found = re.findall(counter, requests.get(url, timeout=10).text, re.MULTILINE)
    return sum(int(float(count)) for count in found)


def all_taken(bot: str, items: str) -> dict[str, Any]:
    """What a bot told that was given the Collector's address: all that it made is sent, and taken once."""
    binary = find_binary("collector")
    assert binary is not None
    port = free_port()
    with collector(binary, counts_port=port) as endpoint:
        run = subprocess.run(
            [sys.executable, "-c", bot, endpoint], env=bare(), capture_output=True, text=True, timeout=200, check=False
        )
        assert run.returncode == 0, run.stderr
        told: dict[str, Any] = json.loads(run.stdout)
        assert told["made"] > 0
        assert told["dropped"] == {}
        assert told["made"] == told["emitted"] == told["sent"]
        counts = f"http://127.0.0.1:{port}/metrics"
        eventually(lambda: accepted(counts, items) >= told["made"])
        assert accepted(counts, items) == told["made"]
    return told
