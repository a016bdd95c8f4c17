from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from otel_trading.stack import Ports, Stack
from tests.dashboards.asking import Bot
from tests.demo.test_demo_command import COMMAND
from tests.environment import bare
from tests.stack.sending import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 75
FAULTS = (
    *("reject:spot:1:20s@6s", "slow_ack:perp:500ms:20s@27s", "disconnect:perp:6s@48s", "silent:perp:6s@55s"),
    *("clock_skew:perp:-1270ms:5s@62s", "malformed:spot:2s@69s"),
)
"""Long enough that the bot trades within each of the first two."""
COMPONENTS = {
    "otelcol": "collector_metrics",
    "prometheus": "prometheus",
    "alertmanager": "alertmanager",
    "jaeger": "jaeger_metrics",
    "loki": "loki",
}


@pytest.fixture(scope="session")
def scraping(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A second Prometheus, as the kit configures it, that scrapes the bots and the stack, every second."""
    alone = Stack(ports=Ports.free(), data_dir=tmp_path_factory.mktemp("scraping"))
    alone.up(["prometheus"])
    settings = alone.data_dir / "prometheus" / "settings" / "prometheus.yml"
    settings.write_text(settings.read_text().replace("scrape_interval: 15s", "scrape_interval: 1s"))
    try:
        yield alone
    finally:
        alone.down()


def scrape(alone: Stack, stack: Stack, bots: dict[str, int]) -> None:
    """Have the second Prometheus scrape these."""
    ports = {job: urlsplit(stack.urls[url]).port for job, url in COMPONENTS.items()} | bots
    lines = [f'- {{targets: ["127.0.0.1:{port}"], labels: {{component: {job}}}}}\n' for job, port in ports.items()]
    (alone.data_dir / "prometheus" / "settings" / "targets" / "scrape.yml").write_text("".join(lines))
    pid = alone.pid("prometheus")
    assert pid is not None
    os.kill(pid, signal.SIGHUP)


@contextmanager
def process(command: list[str], folder: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A program with these variables alone, and a folder for all that it keeps."""
    folder.mkdir()
    kept = {f"OTEL_TRADING_{name}_FOLDER": str(folder / name.lower()) for name in ("ALERTS", "FLIGHT", "EMERGENCY")}
    environment = bare(**kept, OTEL_TRADING_CACHE=str(folder / "cache"), OTEL_TRADING_METRIC_INTERVAL="1", **variables)
    with (folder / "said.txt").open("w") as said:
        started = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=said, stderr=said, text=True)
        with started as running:
            try:
                yield running
            finally:
                running.kill()


def said(folder: Path, bot: str) -> str:
    """What a bot printed."""
    return (folder / bot / "said.txt").read_text()


@dataclass(frozen=True)
class Bots:
    """The bots that ran, by the way that their metrics took, and when."""

    stack: Stack
    scraping: Stack
    started: float
    ended: float

    def __getitem__(self, way: str) -> Bot:
        """A bot, and the Prometheus that has its metrics."""
        prometheus = self.scraping if way.startswith("scraped") else self.stack
        job = {"scraped demo": "demo", "scraped": "teller"}.get(way, way)
        return Bot(self.stack, prometheus.urls["prometheus"], job, self.started, self.ended)


@pytest.fixture(scope="session")
def bots(stack: Stack, scraping: Stack, tmp_path_factory: pytest.TempPathFactory) -> Bots:
    """The demo with its faults; beside it tellers on both engines, and everything scraped as well."""
    folder, started = tmp_path_factory.mktemp("bots"), time.time()
    ports = Ports.free()
    demo_port, teller_port = ports.grafana, ports.loki
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": stack.urls["otlp_http"]}
    tell = [sys.executable, "-m", "tests.dashboards.teller"]
    faults = [word for fault in FAULTS for word in ("--fault", fault)]
    play = [
        *COMMAND,
        *faults,
        "--speed",
        "2",
        "--seconds",
        str(SECONDS),
        "--ops-port",
        str(demo_port),
        "--service-name",
        "demo",
    ]
    scrape(scraping, stack, {"demo": demo_port, "teller": teller_port})
    with ExitStack() as running:
        teller = process(
            tell, folder / "native", OTEL_SERVICE_NAME="teller", OTEL_TRADING_OPS_PORT=str(teller_port), **endpoint
        )
        other = process(
            tell,
            folder / "sdk",
            OTEL_SERVICE_NAME="sdk",
            OTEL_TRADING_ENGINE="sdk",
            OTEL_TRADING_OPS_ENABLED="false",
            OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION="explicit_bucket_histogram",
            **endpoint,
        )
        tellers = [running.enter_context(each) for each in (teller, other)]
        demo = running.enter_context(process(play, folder / "demo", **endpoint))
        assert demo.wait(SECONDS + 60) == 0, said(folder, "demo")
        for each in tellers:
            assert each.poll() is None, said(folder, "native") + said(folder, "sdk")
            each.communicate(timeout=30)
    made = Bots(stack, scraping, started, time.time())
    assert eventually(lambda: made["demo"].ask("sum(trading_market_data_messages_total)"))
    return made
