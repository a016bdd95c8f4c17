"""Every expression of every panel and annotation, asked of the real Prometheus, Loki and Jaeger.

The demo runs with its faults. What it has no occasion to say is said by tellers, on both engines; of those one is
scraped as well, as the demo is: so all ways that metrics take serve the same boards.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.provisioning.boards import BOARDS
from otel_trading.provisioning.ids import panel_id
from otel_trading.stack.backends import Prometheus
from tests.dashboards.asking import STEP
from tests.dashboards.preview import page

if TYPE_CHECKING:
    from otel_trading.provisioning import Dashboard
    from tests.dashboards.conftest import Bots

pytestmark = [pytest.mark.stack]

_SMOOTH = "the run is too calm for it"
_BARE = "the reference bot uses ccxt without its instrumentation, and tells itself what it needs"
_IOC = "its orders are filled or gone at once: none is cancelled, none stays open"
_RISKLESS = "the reference bot has neither breakers nor measures of risk, and does not ask for balances"
_NO_CHAIN = "no block chain, no cache, no database and no recorder"
QUIET_DEMO = {
    **dict.fromkeys(("candles-throughput", "events-throughput B", "queue-backlog"), "no candles, no queue"),
    **dict.fromkeys(("slow-operations", "event-loop-stalls A", "threshold-crossings", "runtime-errors"), _SMOOTH),
    **dict.fromkeys(("cancel-latency", "cancels", "active-orders B", "anomalies", "settlement-duration"), _IOC),
    **dict.fromkeys(("settlement-pending", "trade-attempts B"), _IOC),
    **dict.fromkeys(("breaker-status", "breaker-states", "breaker-transitions"), _RISKLESS),
    **dict.fromkeys(("var", "expected-shortfall", "volatility"), _RISKLESS),
    **dict.fromkeys(("position-notional B", "balance", "position-drift"), _RISKLESS),
    **dict.fromkeys(("halts", "emergency-stops", "strategy-failures"), "nobody stops it, and it does not fail"),
    **dict.fromkeys(("message-work", "rate-limits-now", "rate-limit-utilization", "rate-limit-refusals"), _BARE),
    **dict.fromkeys(("rate-limit-waits", "request-latency", "request-errors", "request-retries"), _BARE),
    **dict.fromkeys(("call-latency", "price-fetch", "connect-duration", "connection-duration", "venue-io"), _BARE),
    **dict.fromkeys(("gaps", "data-errors", "clock-steps"), _BARE),
    **dict.fromkeys(("chain-transactions", "chain-duration", "chain-costs", "cache-hits", "database"), _NO_CHAIN),
    **dict.fromkeys(("recorder", "config-reloads", "ops-requests", "ops-refusals"), _NO_CHAIN),
    **dict.fromkeys(("check-duration", "notification-failures"), "it registers no checks, and its log is always there"),
    **dict.fromkeys(("memory C", "memory D"), "there is no container around it, or one without a limit"),
    "shutdowns": "its end is told once, and a rate needs two samples",
    "redactions": "it says no secrets",
}
"""Queries the demo leaves empty, and why; a slug with the query's letter where others of the panel are not."""

_WELL = "nothing is wrong with the stack"
QUIET = {
    "alerts-firing": _WELL,
    "collector-failures B": _WELL,
    "notifications-sent C": _WELL,
}
"""Queries that are empty as long as all is well."""

_BY_COLLECTOR = "span metrics are made by the Collector, which hands them to its own Prometheus over OTLP"
QUIET_SCRAPED = dict.fromkeys(
    ("span-rate", "span-error-ratio", "span-latency", "span-throughput", "span-errors"), _BY_COLLECTOR
)


def targets() -> list[Any]:
    """Every query of every panel: board, slug, letter and the query as it is rendered."""
    found = []
    for board in BOARDS:
        slugs = {panel_id(panel.slug): panel.slug for panel in board}
        for panel in board.render()["panels"]:
            for target in panel.get("targets", []):
                slug, letter = slugs[panel["id"]], target["refId"]
                found.append(pytest.param(slug, letter, target, id=f"{board.uid}, {slug}, {letter}"))
    return found


def quiet(slug: str, letter: str, *tables: dict[str, str]) -> bool:
    """Whether one of the tables says why a query is empty."""
    return any({slug, f"{slug} {letter}"} & set(table) for table in tables)


@pytest.mark.parametrize("way", ["demo", "scraped demo"])
@pytest.mark.parametrize(("slug", "letter", "target"), targets())
def test_a_panel_shows_the_demo_and_its_faults(
    bots: Bots, way: str, slug: str, letter: str, target: dict[str, Any]
) -> None:
    """Over OTLP and scraped, no query fails, and those that stay empty have a reason to."""
    found = bots[way].answers(target)
    scraped = QUIET_SCRAPED if way.startswith("scraped") else {}
    assert found or quiet(slug, letter, QUIET_DEMO, QUIET, scraped)


@pytest.mark.parametrize("way", ["teller", "scraped", "sdk"])
@pytest.mark.parametrize(("slug", "letter", "target"), targets())
def test_a_panel_shows_whatever_is_declared(
    bots: Bots, way: str, slug: str, letter: str, target: dict[str, Any]
) -> None:
    """Native histograms over OTLP, native ones scraped, explicit buckets of the SDK: each fills every panel."""
    found = bots[way].answers(target)
    scraped = QUIET_SCRAPED if way == "scraped" else {}
    assert found or quiet(slug, letter, QUIET, scraped)


@pytest.mark.parametrize("way", ["teller", "scraped", "sdk"])
@pytest.mark.parametrize("annotation", BOARDS[0].annotations, ids=lambda annotation: annotation.name)
def test_an_annotation_marks_what_happened(bots: Bots, way: str, annotation: Any) -> None:
    """Halts, emergency stops, breaker trips and versions; of alerts only those that fire."""
    found = bots[way].ask(annotation.expr)
    assert found or annotation.name == "Alerts"


def test_the_tables_are_about_queries_that_there_are() -> None:
    """No reason is left behind when a panel goes."""
    there = {target.values[0] for target in targets()} | {" ".join(target.values[:2]) for target in targets()}
    assert {*QUIET_DEMO, *QUIET, *QUIET_SCRAPED} <= there


def test_each_fault_of_the_demo_is_seen(bots: Bots) -> None:
    """What each fault leads to is seen: refusals, late answers, lost connections, silence, a clock that is off."""
    demo = bots["demo"]
    boards = {board.uid: board for board in BOARDS}

    def highest(board: str, slug: str, place: int = 0) -> float:
        query = boards[f"otel-trading-{board}"].panel(slug).queries[place]
        found = [float(value) for series in demo.ask(query.expr) for _, value in series["values"] if value != "NaN"]
        return max(found)

    assert highest("orders", "reject-ratio") > 0
    assert highest("orders", "ack-latency", 1) > 0.3
    assert highest("latency", "budget-violations") > 0
    assert highest("market-data", "reconnects") > 0
    assert highest("market-data", "connection-states") == 2
    assert highest("market-data", "data-age") > 3
    assert highest("market-data", "market-data-latency", 1) > 1


def test_the_query_of_native_histograms_and_of_buckets_is_the_same(bots: Bots) -> None:
    """The one engine sends native histograms and no buckets, the other one buckets alone."""
    name = "trading_order_ack_duration_seconds"
    asked = Prometheus(bots.stack.urls["prometheus"])
    window = f"[{bots.ended - bots.started + STEP + 60:.0f}s]"
    assert asked.query(f'last_over_time({name}{{job="teller"}}{window})')
    assert not asked.query(f'last_over_time({name}_bucket{{job="teller"}}{window})')
    assert asked.query(f'last_over_time({name}_bucket{{job="sdk"}}{window})')
    assert not asked.query(f'last_over_time({name}{{job="sdk"}}{window})')


@pytest.mark.parametrize("way", ["demo", "scraped demo", "sdk"])
@pytest.mark.parametrize("name", ["job", "instance", "service", "venue", "symbol", "strategy"])
def test_what_can_be_chosen_has_values(bots: Bots, way: str, name: str) -> None:
    """The variables above a board: the bot, its service, where and what it trades, and why."""
    bot = bots[way]
    [variable] = [each for each in BOARDS[0].render()["templating"]["list"] if each["name"] == name]
    series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]
    found = {each["metric"].get(label) for each in bot.ask(series)} - {None}
    demo = {"job": "demo", "service": "demo", "strategy": "basis", "venue": "binance", "symbol": "BTC/USDT"}
    teller = {"job": "sdk", "service": "sdk", "strategy": "one", "venue": "kraken", "symbol": "BTC/USD"}
    expected = (demo if "demo" in way else teller).get(name)
    assert found
    assert expected is None or expected in found


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_a_board_can_be_looked_at_without_grafana(bots: Bots, board: Dashboard) -> None:
    """The preview draws every panel, and says where there is nothing to draw."""
    drawn = page(bots["demo"], board.render())
    assert re.findall(r"<h2>(.*?)</h2>", drawn) == [html.escape(panel.title) for panel in board]
    assert not [points for points in re.findall(r'points="([^"]*)"', drawn) if "nan" in points]
    assert drawn.count("<polyline") > 10 or board.uid == "otel-trading-logs-traces"
