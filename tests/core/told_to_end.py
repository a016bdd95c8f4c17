"""How many bots end that are told to as they go to sleep: ``python -m tests.core.told_to_end 300``."""

from __future__ import annotations

import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import TimeoutExpired

from tests.core.started_bots import StartedBot

AT_ONCE = 5
PATIENCE = 15.0
BOT = """
import time
import otel_trading as ot
telemetry = ot.configure(
    traces_exporter="none", metrics_exporter="none", logs_exporter="none", health_interval=0.1,
    health_checks={"x": "dns://localhost;interval=0.1"},
)
print("ready", flush=True)
time.sleep(60)
"""


def ends(_: int) -> bool:
    """Whether a bot ends."""
    with tempfile.TemporaryDirectory() as folder, StartedBot(BOT, Path(folder)) as bot:
        bot.ready().process.send_signal(signal.SIGTERM)
        try:
            return bot.process.wait(PATIENCE) == -signal.SIGTERM
        except TimeoutExpired:
            return False


if __name__ == "__main__":
    bots = int(sys.argv[1])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        print(f"{sum(pool.map(ends, range(bots)))} of {bots} bots ended")  # noqa: T201 - for people
