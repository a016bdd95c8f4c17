from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.stack.backends import Backend, Loki, Prometheus
from otel_trading.stack.files import config_file
from tests.stack.sending import Sender, eventually, sender
from tests.stack.test_pipeline import log

if TYPE_CHECKING:
    from otel_trading.stack import Stack

pytestmark = pytest.mark.stack

SERVICE = "dashboard-bot"
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


def trade(emitter: Sender) -> None:
    with emitter.tracer.start_as_current_span("order.submit", attributes=VENUE) as span:
        for name, (unit, attributes) in COUNTERS.items():
            emitter.meter.create_counter(name, unit=unit).add(3, attributes)
        for name, (unit, attributes) in GAUGES.items():
            emitter.meter.create_gauge(name, unit=unit).set(-2.5, attributes)
        for name, (unit, attributes) in HISTOGRAMS.items():
            emitter.meter.create_histogram(name, unit=unit).record(0.02, attributes)
        log(emitter, "order acknowledged", span=span)


def concrete(expression: str) -> str:
    fixed = re.sub(r"\$__(rate_interval|range)", "1m", expression)
    return re.sub(r"\$(job|instance|venue|search)\b", ".*", fixed).replace("$service", SERVICE)


@pytest.fixture(scope="module")
def traded(stack: Stack) -> Stack:
    with sender(stack, SERVICE) as emitter:
        for _ in range(3):
            trade(emitter)
            emitter.flush()
            time.sleep(0.5)
    return stack


def targets(kind: str) -> list[Any]:
    board = json.loads(config_file("grafana", "dashboards", "overview.json").read_text())
    return [
        pytest.param(target, id=f"{panel['title']}, {target['refId']}")
        for panel in board["panels"]
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == kind
    ]


@pytest.mark.parametrize("target", targets("prometheus"))
def test_every_metric_panel_shows_what_a_bot_has_sent(traded: Stack, target: dict[str, Any]) -> None:
    """The names and labels of a panel are those that the conventions' instruments arrive with."""
    prometheus = Prometheus(traded.urls["prometheus"])
    series = eventually(lambda: prometheus.query(concrete(target["expr"])))
    assert series
    legend = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
    assert any(set(legend) <= set(found["metric"]) for found in series)


@pytest.mark.parametrize("target", targets("loki"))
def test_every_log_panel_shows_what_a_bot_has_logged(traded: Stack, target: dict[str, Any]) -> None:
    """The selector of the panel finds the bot's lines."""
    loki = Loki(traded.urls["loki"])
    assert len(eventually(lambda: loki.lines(concrete(target["expr"])))) == 3


@pytest.mark.parametrize("target", targets("jaeger"))
def test_every_trace_panel_lists_the_bots_traces(traded: Stack, target: dict[str, Any]) -> None:
    """The search of the panel finds the bot's traces."""
    parameters = {"service": concrete(target["service"]), "limit": target["limit"]}
    jaeger = Backend(traded.urls["jaeger_ui"])
    assert eventually(lambda: len(jaeger.get("/api/traces", parameters)["data"]) == 3)


def test_the_variables_of_the_dashboard_have_values(traded: Stack) -> None:
    """Job, instance, venue and service can be chosen."""
    board = json.loads(config_file("grafana", "dashboards", "overview.json").read_text())
    prometheus = Prometheus(traded.urls["prometheus"])
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
            seen = {series["metric"].get(label) for series in prometheus.query(concrete(selector))}
            assert seen & {f"tests/{SERVICE}", "one", "kraken", SERVICE}, variable["name"]
