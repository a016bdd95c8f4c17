from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading import configure
from otel_trading.stack.backends import Backend, Loki, Prometheus
from otel_trading.stack.files import config_file
from tests.stack.sending import Emitter, eventually, sender
from tests.stack.test_pipeline import log

if TYPE_CHECKING:
    from otel_trading.stack import Stack

pytestmark = pytest.mark.stack

VENUE = {"trading.venue.name": "kraken"}
STRATEGY = {"trading.strategy.name": "basis"}
ORDER = {**VENUE, **STRATEGY, "trading.order.side": "buy"}
FILL = {**ORDER, "trading.execution.type": "trade", "trading.order.status": "filled"}
COUNTERS: dict[str, tuple[str, dict[str, str]]] = {
    "trading.market_data.messages": ("{message}", {**VENUE, "trading.market_data.type": "trade"}),
    "trading.order.submissions": ("{order}", ORDER),
    "trading.execution.reports": ("{report}", FILL),
    "trading.opportunity.detections": ("{opportunity}", STRATEGY),
    "trading.telemetry.events": ("{event}", {}),
    "trading.telemetry.dropped": ("{event}", {"reason": "full"}),
}
GAUGES: dict[str, tuple[str, dict[str, str]]] = {
    "trading.pnl.realized": ("{currency}", {**STRATEGY, "trading.currency": "USD"}),
    "trading.pnl.unrealized": ("{currency}", {**STRATEGY, "trading.currency": "USD"}),
    "trading.position.quantity": ("{unit}", {**VENUE, "trading.instrument.symbol": "BTC/USD"}),
}
HISTOGRAMS: dict[str, tuple[str, dict[str, str]]] = {
    "trading.tick_to_trade.duration": ("s", STRATEGY),
    "trading.order.ack.duration": ("s", VENUE),
    "trading.opportunity.edge.bps": ("{bp}", STRATEGY),
}


@dataclass(frozen=True)
class Traded:
    stack: Stack
    service: str

    def concrete(self, expression: str) -> str:
        fixed = re.sub(r"\$__(rate_interval|range)", "1m", expression)
        own = fixed.replace("$service", self.service).replace("$job", f"tests/{self.service}")
        return re.sub(r"\$(instance|venue|search)\b", ".*", own)


SERVICES = {"sdk": "dashboard-bot", "native": "dashboard-native-bot"}


def trade(emitter: Emitter, counters: dict[str, tuple[str, dict[str, str]]]) -> None:
    with emitter.tracer.start_as_current_span("order.submit", attributes=VENUE) as span:
        for name, (unit, attributes) in counters.items():
            emitter.meter.create_counter(name, unit=unit).add(3, attributes)
        for name, (unit, attributes) in GAUGES.items():
            emitter.meter.create_gauge(name, unit=unit).set(-2.5, attributes)
        for name, (unit, attributes) in HISTOGRAMS.items():
            emitter.meter.create_histogram(name, unit=unit).record(0.02, attributes)
        log(emitter, "order acknowledged", span=span)


@pytest.fixture(scope="module", params=list(SERVICES))
def traded(stack: Stack, request: pytest.FixtureRequest) -> Traded:
    """A bot on the SDK, and one on the native engine, which says itself what telemetry does."""
    service = SERVICES[request.param]
    if request.param == "sdk":
        with sender(stack, service) as emitter:
            trade_for_a_while(emitter, COUNTERS)
    else:
        identity = {"service.namespace": "tests", "service.instance.id": "one"}
        with configure(
            service_name=service, resource_attributes=identity, endpoint=stack.urls["otlp_http"],
            metric_interval=60.0, ops_enabled=False, banner=False,
        ) as telemetry:  # fmt: skip
            own = {name: told for name, told in COUNTERS.items() if not name.startswith("trading.telemetry.")}
            trade_for_a_while(telemetry, own)
    return Traded(stack, service)


def trade_for_a_while(emitter: Emitter, counters: dict[str, tuple[str, dict[str, str]]]) -> None:
    for _ in range(3):
        trade(emitter, counters)
        emitter.flush()
        time.sleep(0.5)


def targets(kind: str) -> list[Any]:
    board = json.loads(config_file("grafana", "dashboards", "overview.json").read_text())
    return [
        pytest.param(target, id=f"{panel['title']}, {target['refId']}")
        for panel in board["panels"]
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == kind
    ]


@pytest.mark.parametrize("target", targets("prometheus"))
def test_every_metric_panel_shows_what_a_bot_has_sent(traded: Traded, target: dict[str, Any]) -> None:
    """The names and labels of a panel are those that the conventions' instruments arrive with."""
    prometheus = Prometheus(traded.stack.urls["prometheus"])
    series = eventually(lambda: prometheus.query(traded.concrete(target["expr"])))
    assert series
    assert not any(found["value"][1] == "NaN" for found in series)
    legend = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
    assert any(set(legend) <= set(found["metric"]) for found in series)


@pytest.mark.parametrize("target", targets("loki"))
def test_every_log_panel_shows_what_a_bot_has_logged(traded: Traded, target: dict[str, Any]) -> None:
    """The selector of the panel finds the bot's lines, among what the kit itself may have to say."""
    loki = Loki(traded.stack.urls["loki"])
    lines = eventually(lambda: loki.lines(traded.concrete(target["expr"])))
    assert [text for text, _ in lines if text == "order acknowledged"] == ["order acknowledged"] * 3, lines


@pytest.mark.parametrize("target", targets("jaeger"))
def test_every_trace_panel_lists_the_bots_traces(traded: Traded, target: dict[str, Any]) -> None:
    """The search of the panel finds the bot's traces."""
    parameters = {"service": traded.concrete(target["service"]), "limit": target["limit"]}
    jaeger = Backend(traded.stack.urls["jaeger_ui"])
    assert eventually(lambda: len(jaeger.get("/api/traces", parameters)["data"]) == 3)


def test_the_variables_of_the_dashboard_have_values(traded: Traded) -> None:
    """Job, instance, venue and service can be chosen."""
    board = json.loads(config_file("grafana", "dashboards", "overview.json").read_text())
    prometheus = Prometheus(traded.stack.urls["prometheus"])
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
            seen = {series["metric"].get(label) for series in prometheus.query(traded.concrete(selector))}
            assert seen & {f"tests/{traded.service}", "one", "kraken", traded.service}, variable["name"]
