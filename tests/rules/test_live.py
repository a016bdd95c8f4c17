"""Rules in the real Prometheus, alerts through the real Alertmanager to a webhook, while things go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.provisioning.rules.kit import RULES
from otel_trading.provisioning.rules.rendering import for_prometheus
from otel_trading.stack import Ports, Stack
from otel_trading.stack.backends import Backend, Prometheus
from tests.conftest import QUICK
from tests.stack.sending import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

SCALE = 0.1
"""Five minutes are thirty seconds; what is compared with a number of seconds stays as it is."""

ORDERS = """
import time
import otel_trading as ot

telemetry = ot.configure(banner=False)
trading = telemetry.trading
print("begun", flush=True)
for number in range(100_000):
    late = time.time_ns() - 1_500_000_000
    order = f"o-{number}"
    trading.order_submitted(order, venue="kraken", symbol="BTC/USDT", side="buy", type="limit", time_in_force="gtc",
                            quantity="1", price="27000", strategy="basis", time_ns=late)
    trading.order_acknowledged(order)
    trading.order_rejected(order, reason="insufficient_funds")
    time.sleep(0.1)
"""

LINES = """
import logging
import otel_trading as ot

telemetry = ot.configure(banner=False)
log = logging.getLogger("bot")
log.critical("the hedge is gone")
log.error("schema validation failed: no price")
for number in range(60):
    log.error("cannot reach the venue, attempt %d", number)
assert telemetry.shutdown(30)
"""

GOODBYE = """
import time
import otel_trading as ot

telemetry = ot.configure(banner=False)
with telemetry.running(exit="return"):
    time.sleep(3)
"""


class Hook:
    """A receiver of Alertmanager's webhooks."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body["authorization"] = self.headers.get("Authorization")
                told.append(body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/alerts"

    def alerts(self, status: str = "firing") -> dict[str, dict[str, Any]]:
        return {
            a["labels"]["alertname"]: a for body in list(self.told) for a in body["alerts"] if a["status"] == status
        }


@pytest.fixture(scope="module")
def hook() -> Iterator[Hook]:
    made = Hook()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def quick(backends: None, hook: Hook, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    rules = tmp_path_factory.mktemp("rules")
    (rules / "rules").mkdir()
    for name, text in for_prometheus(RULES, scale=SCALE).items():
        (rules / "rules" / name).write_text(text)
    settings = {
        **QUICK,
        "ALERT_RULES": str(rules),
        "ALERT_GROUP_WAIT": "1s",
        "ALERT_WEBHOOK_URL": hook.url,
        "ALERT_WEBHOOK_TOKEN": "token-of-the-hook",
        "ALERT_WATCHDOG_URL": f"{hook.url}/watchdog",
    }
    with Stack(ports=Ports.free(), data_dir=tmp_path_factory.mktemp("quick"), settings=settings) as running:
        yield running


def bot(stack: Stack, code: str, name: str) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "OTEL_SERVICE_NAME": name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": stack.urls["otlp_http"],
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_TRADING_OPS_PORT": "0",
    }
    return subprocess.Popen([sys.executable, "-c", code], env=environment, text=True, stdout=subprocess.PIPE)


def demo(stack: Stack, cache: Path, *faults: str) -> subprocess.Popen[str]:
    command = ["-c", "from otel_trading.cli import main; main()", "demo", "--quiet", "--ops-port", "0"]
    command += ["--seconds", "150", "--endpoint", stack.urls["otlp_http"]]
    command += [part for fault in faults for part in ("--fault", fault)]
    environment = {**os.environ, "OTEL_METRIC_EXPORT_INTERVAL": "1000", "OTEL_TRADING_CACHE": str(cache)}
    return subprocess.Popen(
        [sys.executable, *command], env=environment, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


def firing(stack: Stack, **labels: str) -> dict[str, dict[str, str]]:
    matchers = "".join(f', {name}="{value}"' for name, value in labels.items())
    found = Prometheus(stack.urls["prometheus"]).query(f'ALERTS{{alertstate="firing"{matchers}}}')
    return {series["metric"]["alertname"]: series["metric"] for series in found}


def inhibiting(stack: Stack, name: str) -> set[str]:
    """The alerts on whose account nobody is told of this one."""
    alerts = Backend(stack.urls["alertmanager"]).get("/api/v2/alerts")
    names = {alert["fingerprint"]: alert["labels"]["alertname"] for alert in alerts}
    mine = [alert for alert in alerts if alert["labels"]["alertname"] == name]
    return {names[each] for alert in mine for each in alert["status"]["inhibitedBy"] if each in names}


def test_what_goes_wrong_fires_and_is_told(quick: Stack, hook: Hook, tmp_path: Path) -> None:
    """Frozen, disconnected, slow, rejecting, killed: each fires in Prometheus, and arrives at the webhook."""
    demonstration = demo(quick, tmp_path, "silent:perp:70s@3s", "disconnect:spot:25s@30s")
    orders = bot(quick, ORDERS, "orders")
    goodbye = bot(quick, GOODBYE, "goodbye")
    try:
        refused = {"OrderRejectRateHigh", "VenueRefusesOrders", "OrderAckSlow"}
        assert eventually(lambda: refused <= set(firing(quick, job="orders", trading_venue_name="kraken")), seconds=60)
        # what the graver one says is not told as well
        assert eventually(lambda: "VenueRefusesOrders" in inhibiting(quick, "OrderRejectRateHigh"), seconds=30)
        orders.send_signal(signal.SIGKILL)
        assert goodbye.wait(30) == 0
        assert eventually(lambda: "VenueDown" in firing(quick, trading_venue_name="binance"), seconds=60)
        frozen = {"MarketDataStale", "MarketDataFrozen"}
        assert eventually(lambda: frozen <= set(firing(quick, trading_venue_name="binanceusdm")), seconds=90)
        assert eventually(lambda: "BotGone" in firing(quick, job="orders"), seconds=90)
        assert not {"BotGone", "BotCrashed"} & set(firing(quick, job="goodbye"))

        told = {"VenueRefusesOrders", "OrderAckSlow", "VenueDown", "MarketDataFrozen", "BotGone", "Watchdog"}
        assert eventually(lambda: told <= set(hook.alerts()), seconds=30), set(hook.alerts())
        assert eventually(lambda: "VenueDown" in hook.alerts("resolved"), seconds=90)
    finally:
        for process in (demonstration, orders, goodbye):
            process.kill()
            process.communicate()

    gone = hook.alerts()["BotGone"]
    assert gone["labels"]["severity"] == "critical"
    assert gone["labels"]["job"] == "orders"
    assert gone["annotations"]["summary"].startswith("orders has said nothing for ")
    assert {body["authorization"] for body in hook.told if body["receiver"] == "critical"} == {
        "Bearer token-of-the-hook"
    }


def test_no_rule_fails_in_prometheus(quick: Stack) -> None:
    """Every rule of every group was evaluated, and none had an error."""
    prometheus = Backend(quick.urls["prometheus"])

    def evaluated() -> list[dict[str, Any]]:
        return [rule for group in prometheus.get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]

    assert eventually(lambda: all(rule["health"] != "unknown" for rule in evaluated()))
    assert len(evaluated()) == sum(len(group.rules) - sum(rule.loki for rule in group.alerts) for group in RULES)
    assert [(rule["name"], rule["lastError"]) for rule in evaluated() if rule["health"] != "ok"] == []


def test_what_asks_loki_finds_what_a_bot_logs(quick: Stack) -> None:
    """The rules that only Grafana evaluates: each has an answer for this bot, and for no other."""
    lines = bot(quick, LINES, "talker")
    lines.communicate(timeout=60)
    assert lines.returncode == 0

    def holds(expr: str) -> dict[str, float]:
        answer = Backend(quick.urls["loki"]).get("/loki/api/v1/query", {"query": expr})
        return {series["metric"]["service_name"]: float(series["value"][1]) for series in answer["data"]["result"]}

    asked = {rule.name: rule.expr for group in RULES for rule in group.alerts if rule.loki}
    expected = {"CriticalLogLine": 1, "SchemaValidationFailed": 1, "ErrorLogBurst": 61}
    assert set(asked) == set(expected)
    for name, expr in asked.items():
        assert eventually(lambda expr=expr: "talker" in holds(expr), seconds=20), name  # type: ignore[misc]
        assert holds(expr)["talker"] == expected[name]
