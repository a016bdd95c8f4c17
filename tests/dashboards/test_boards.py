"""The boards: what they hold, the rules of Grafana's dashboard linter, and Grafana's own models of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_trading.provisioning import colours, units
from otel_trading.provisioning.boards import BOARDS
from otel_trading.provisioning.ids import panel_id
from otel_trading.provisioning.links import DOCS
from otel_trading.provisioning.model import Panel, Row
from otel_trading.trading.conventions import INSTRUMENTS, known, label_name, prometheus_name
from tests.dashboards.oracle import lost, through_the_models

if TYPE_CHECKING:
    from otel_trading.provisioning.dashboard import Dashboard

ROOT = Path(__file__).parents[2]
TITLES = {
    "otel-trading-overview": "Bot overview",
    "otel-trading-latency": "Latency and budgets",
    "otel-trading-orders": "Orders and executions",
    "otel-trading-risk": "P&L and risk",
    "otel-trading-market-data": "Market data and venues",
    "otel-trading-health": "Health and alerts",
    "otel-trading-telemetry": "Telemetry",
    "otel-trading-logs-traces": "Logs and traces",
}
REQUIRED = {
    # requirement 003: its dashboard, then the metrics it exports for one
    "003 Success Rate": ("otel-trading-overview", "success-rate", "stat", "trading_trade_completions_total"),
    "003 Profit Over Time": ("otel-trading-overview", "profit-over-time", "timeseries", "trading_pnl_realized"),
    "003 Execution Latency (p95)": (
        *("otel-trading-overview", "execution-latency", "timeseries"),
        "histogram_quantile(0.95, sum by (trading_strategy_name) (rate(trading_trade_duration_seconds",
    ),
    "003 Circuit Breaker Status": (
        *("otel-trading-overview", "breaker-status", "stat"),
        "trading_circuit_breaker_state",
    ),
    "003 opportunities detected": (
        *("otel-trading-overview", "opportunities", "timeseries"),
        "trading_opportunity_detections_total",
    ),
    "003 trades attempted": ("otel-trading-orders", "trade-attempts", "timeseries", "trading_trade_attempts_total"),
    "003 trades failed": ("otel-trading-orders", "trade-outcomes", "timeseries", "trading_trade_outcome"),
    "003 current balance": ("otel-trading-risk", "balance", "timeseries", "trading_venue_balance"),
    "003 active positions": ("otel-trading-overview", "positions-active", "stat", "trading_position_active"),
    "003 opportunity profit": (
        *("otel-trading-orders", "opportunity-edge", "timeseries"),
        "trading_opportunity_edge_bps",
    ),
    "003 price fetch latency": ("otel-trading-market-data", "price-fetch", "timeseries", "fetch_prices"),
    "003 slippage": ("otel-trading-orders", "slippage", "timeseries", "trading_execution_slippage_bps"),
    # requirement 004: its panels
    "004 Latency Percentiles p50": ("otel-trading-latency", "stage-latency", "timeseries", "histogram_quantile(0.5,"),
    "004 Latency Percentiles p95": ("otel-trading-latency", "stage-latency", "timeseries", "histogram_quantile(0.95,"),
    "004 Latency Percentiles p99": ("otel-trading-latency", "stage-latency", "timeseries", "histogram_quantile(0.99,"),
    "004 Throughput, events": ("otel-trading-latency", "events-throughput", "timeseries", "trading_stage_duration"),
    "004 Throughput, candles": ("otel-trading-latency", "candles-throughput", "timeseries", "candle_processing"),
    "004 SLA Compliance": (
        *("otel-trading-latency", "sla-compliance-now", "gauge"),
        "trading_stage_budget_violations_total",
    ),
    "004 Queue Backlog": ("otel-trading-latency", "queue-backlog", "timeseries", "trading_queue_depth"),
    "004 GC Pause Time, distribution": (
        *("otel-trading-latency", "gc-pauses", "heatmap"),
        "trading_runtime_gc_duration_seconds",
    ),
    "004 GC Pause Time, p99": (
        *("otel-trading-latency", "gc-pause-p99", "timeseries"),
        "histogram_quantile(0.99, sum by (cpython_gc_generation) (rate(trading_runtime_gc_duration_seconds",
    ),
}
"""What a requirement asks for: the board and the slug it has here, how it is drawn, and what is in its query."""

OTHERS = {
    "up": "Prometheus, of each target",
    "target_info": "Prometheus, of each resource",
    "ALERTS": "Prometheus, of each rule",
    "traces_span_metrics_calls_total": "the Collector's span metrics",
    "traces_span_metrics_duration_seconds": "the Collector's span metrics",
    "otelcol_exporter_queue_size": "the Collector",
    "otelcol_exporter_queue_capacity": "the Collector",
    "otelcol_process_memory_rss_bytes": "the Collector",
    "otelcol_receiver_accepted_spans_total": "Jaeger, which is built on the Collector",
    **{
        f"otelcol_{counter}_{kind}_total": "the Collector"
        for counter in (
            *("receiver_accepted", "receiver_refused", "receiver_failed"),
            *("exporter_sent", "exporter_send_failed", "exporter_enqueue_failed"),
        )
        for kind in ("spans", "metric_points", "log_records")
    },
    "process_resident_memory_bytes": "Prometheus, Alertmanager and Loki",
    "prometheus_tsdb_head_samples_appended_total": "Prometheus",
    "prometheus_tsdb_head_series": "Prometheus",
    "prometheus_tsdb_exemplar_exemplars_in_storage": "Prometheus",
    "prometheus_rule_evaluations_total": "Prometheus",
    "prometheus_rule_evaluation_failures_total": "Prometheus",
    "prometheus_rule_group_iterations_missed_total": "Prometheus",
    "prometheus_notifications_sent_total": "Prometheus",
    "prometheus_notifications_dropped_total": "Prometheus",
    "alertmanager_notifications_failed_total": "Alertmanager",
    "loki_distributor_lines_received_total": "Loki",
}
"""Metrics that are not the kit's, and whose they are."""

PANELS = [pytest.param(board, panel, id=f"{board.uid}, {panel.slug}") for board in BOARDS for panel in board]
_EXPOSED = {prometheus_name(each): each for each in INSTRUMENTS.values()}
_WORDS = {
    *(
        "sum",
        "max",
        "min",
        "avg",
        "count",
        "by",
        "on",
        "or",
        "and",
        "unless",
        "rate",
        "increase",
        "vector",
        "abs",
        "le",
    ),
    *(
        "histogram_quantile",
        "histogram_count",
        "histogram_sum",
        "clamp_max",
        "clamp_min",
        "label_replace",
        "offset",
        "m",
    ),
    *("max_over_time", "count_over_time", "last_over_time"),
}


def metrics(expr: str) -> list[str]:
    """The names of metrics in an expression, without strings, labels and functions."""
    bare = re.sub(r'"[^"]*"', '""', expr)
    bare = re.sub(r"\b(by|on) \([^)]*\)", "", bare)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|\$\w+", " ", bare)
    names = re.findall(r"[a-zA-Z_:][a-zA-Z0-9_:]*", bare)
    return [name for name in names if name not in _WORDS]


def prometheus(panel: Panel) -> list[str]:
    return [query.expr for query in panel.queries if query.source == "prometheus"]


def test_the_boards_are_those_that_were_asked_for() -> None:
    """Eight, by their identifiers, in the order in which they are read."""
    assert {board.uid: board.title for board in BOARDS} == TITLES


@pytest.mark.parametrize("asked", REQUIRED, ids=str)
def test_every_panel_of_the_requirements_is_there(asked: str) -> None:
    """By its slug, drawn as was asked, over the instrument that it is about."""
    uid, slug, kind, within = REQUIRED[asked]
    panel = {board.uid: board for board in BOARDS}[uid].panel(slug)
    assert panel.kind == kind
    assert any(within in query.expr for query in panel.queries), [query.expr for query in panel.queries]


def test_the_backlog_shows_the_threshold_of_its_alert() -> None:
    """The line at 100 items, and compliance in three zones."""
    latency = BOARDS[1]
    assert [each.value for each in latency.panel("queue-backlog").thresholds] == [100]
    assert len(latency.panel("sla-compliance-now").thresholds) == 2


def test_breakers_have_the_colours_of_the_requirement() -> None:
    """Closed is green, half open is between, open is red; each number has its word."""
    [panel] = [panel for panel in BOARDS[0].render()["panels"] if panel["id"] == panel_id("breaker-status")]
    [mapping] = panel["fieldConfig"]["defaults"]["mappings"]
    shown = {number: (each["text"], each["color"]) for number, each in mapping["options"].items()}
    assert shown == {"0": ("closed", "green"), "1": ("half open", "orange"), "2": ("open", "red")}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_grafanas_models_know_every_field(board: Dashboard) -> None:
    """Read into grafana-foundation-sdk's models and written again, nothing is lost and nothing changes."""
    rendered = board.render()
    assert not list(lost(rendered, through_the_models(rendered)))


def test_grafanas_models_would_tell() -> None:
    """A field that they do not know is missed."""
    rendered = BOARDS[0].render()
    rendered["panels"][0]["options"]["colourMode"] = "value"
    assert list(lost(rendered, through_the_models(rendered))) == ["/panels/0/options/colourMode"]


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_every_metric_is_in_the_registry(board: Dashboard, panel: Panel) -> None:
    """Names of the conventions' instruments, or of the table of others."""
    for expr in prometheus(panel):
        names = metrics(expr)
        dynamic = re.findall(r'__name__=~"([^"]+)"', expr)
        assert names or dynamic, expr
        unknown = [name for name in names if not known(name) and name not in OTHERS]
        assert not unknown, expr


def test_the_table_of_others_holds_nothing_else() -> None:
    """Each of them is on a board, and none is the kit's."""
    used = {name for board in BOARDS for panel in board for expr in prometheus(panel) for name in metrics(expr)}
    assert set(OTHERS) <= used
    assert not [name for name in OTHERS if known(name)]


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_every_label_is_an_attribute_of_its_instrument(board: Dashboard, panel: Panel) -> None:
    """What is split by or matched on is declared for the instrument, or given by Prometheus to all of them."""
    given = {"job", "instance", "le", "service_version"}
    for expr in prometheus(panel):
        for name, matchers in re.findall(r"(\w+)\{([^}]*)\}", expr):
            declared = _EXPOSED.get(re.sub(r"_(bucket|sum|count)$", "", name)) or _EXPOSED.get(name)
            if declared is not None:
                labels = {label_name(each) for each in (*declared.attributes, *declared.optional)}
                matched = set(re.findall(r'(\w+)(?:=~|!~|!=|=)"', matchers))
                assert matched <= labels | given, expr


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_legends_name_labels_that_are_left(board: Dashboard, panel: Panel) -> None:
    """A legend has no label that its query sums away."""
    for query in panel.queries:
        for label in re.findall(r"\{\{(\w+)\}\}", query.legend):
            assert re.search(rf"by \([^)]*\b{label}\b[^)]*\)", query.expr), query.expr


# the rules of Grafana's dashboard linter, by their names there


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_panel_title_description_and_units(board: Dashboard, panel: Panel) -> None:
    """panel-title-description, panel-units, panel-no-targets."""
    assert panel.title
    assert len(panel.description) > 20
    assert panel.description.endswith(".")
    assert panel.queries
    assert units.unit(panel.unit)


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_template_variables(board: Dashboard) -> None:
    """template-datasource, template-job, template-instance, template-label-promql, template-on-time-change-reload."""
    variables = {each["name"]: each for each in board.render()["templating"]["list"]}
    for kind in ("prometheus", "loki", "jaeger"):
        # the linter wants one of them to be called "datasource": with three, each is called by its type
        assert (variables[kind]["type"], variables[kind]["query"]) == ("datasource", kind)
    for name in ("job", "instance"):
        assert variables[name]["label"] == name.capitalize()
        assert (variables[name]["multi"], variables[name]["includeAll"], variables[name]["allValue"]) == (
            True,
            True,
            ".+",
        )
    for variable in variables.values():
        if variable["type"] == "query":
            assert variable["datasource"]["uid"] == "${prometheus}"
            assert variable["refresh"] == 2  # asked again when the time shown changes
            assert re.fullmatch(r"label_values\(.*\{.+\}, \w+\)", variable["query"]["query"])


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panel_datasource(board: Dashboard) -> None:
    """panel-datasource: panels, queries and annotations name data sources by variable."""
    rendered = board.render()
    queries = [target for panel in rendered["panels"] for target in panel.get("targets", [])]
    for each in (*queries, *rendered["annotations"]["list"]):
        assert each["datasource"]["uid"] == f"${{{each['datasource']['type']}}}"


OF_THE_STACK = re.compile(r"\b(otelcol|prometheus|loki|alertmanager)_|\bup\b|ALERTS|process_resident_memory_bytes")


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_target_job_and_instance(board: Dashboard, panel: Panel) -> None:
    """target-job, target-instance: each series is of the bots that are chosen.

    Those of Collector, backends and rules are not: they are no bot's.
    """
    for expr in prometheus(panel):
        if not OF_THE_STACK.search(expr):
            for selector in re.findall(r"[a-z_]+\w*\{([^}]*)\}", expr):
                assert 'job=~"$job"' in selector, expr
                assert 'instance=~"$instance"' in selector, expr


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_target_rate_interval_and_counters(board: Dashboard, panel: Panel) -> None:
    """target-rate-interval, target-counter-agg: rates span Grafana's interval, counters are seen through them.

    With two exceptions. What is counted over the whole time shown has ``$__range``. What happens seldom is counted as
    in ``promql.happened``, because ``increase`` misses the first time; that is the only raw use of counters.
    """
    for expr in prometheus(panel):
        assert set(re.findall(r"\brate\([^[]*\[([^\]]*)\]", expr)) <= {"$__rate_interval"}, expr
        assert set(re.findall(r"\bincrease\([^[]*\[([^\]]*)\]", expr)) <= {"$__range", "$__rate_interval"}, expr
        for counter in re.finditer(r"\b\w+_total\b(?=[{\[])", expr):
            before, after = expr[: counter.start()], expr[counter.end() :]
            first = before.endswith(("last_over_time(", " unless ")) and "increase(" + counter[0] in after
            assert first or re.search(r"(rate|increase)\($", before), expr


def test_target_logql_auto() -> None:
    """target-logql-auto: LogQL spans the interval that Grafana finds."""
    expressions = [
        query.expr for board in BOARDS for panel in board for query in panel.queries if query.source == "loki"
    ]
    windows = [window for expr in expressions for window in re.findall(r"\[([^\]]*)\]", expr)]
    assert windows
    assert set(windows) == {"$__auto"}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_boards_can_be_edited(board: Dashboard) -> None:
    """The one rule that is broken, uneditable-dashboard: edits in Grafana are what the round trip takes back."""
    assert board.render()["editable"] is True


# what the linter does not know


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_latency_panels_have_exemplars_on_one_quantile(board: Dashboard, panel: Panel) -> None:
    """Of several quantiles the last one asks for exemplars, of each instrument; else none does."""
    quantiles = [query for query in panel.queries if query.expr.startswith("histogram_quantile(")]
    if panel.kind == "timeseries" and quantiles:
        asked = [query.exemplars for query in quantiles]
        instruments = {re.search(r"rate\((\w+?)(_bucket)?\{", query.expr)[1] for query in quantiles}  # type: ignore[index]
        assert sum(asked) == len(instruments)
        assert asked[-1]


@pytest.mark.parametrize(("board", "panel"), PANELS)
def test_histograms_are_asked_for_in_both_forms(board: Dashboard, panel: Panel) -> None:
    """Native histograms and explicit buckets: span metrics are the Collector's, which makes native ones alone."""
    for expr in prometheus(panel):
        if "histogram_quantile" in expr and "traces_span_metrics" not in expr:
            assert expr.count("histogram_quantile(") == 2
            assert "_bucket{" in expr


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panels_fill_lines_without_holes(board: Dashboard) -> None:
    """No two panels share a place, and every line is as wide as the board."""
    taken: set[tuple[int, int]] = set()
    for panel in board.render()["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    depth = 1 + max(y for _, y in taken)
    assert taken == {(x, y) for x in range(24) for y in range(depth)}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_boards_mark_the_same_things(board: Dashboard) -> None:
    """Halts, emergency stops, breaker trips, deployments and alerts, in the colours of states."""
    names = [each.name for each in board.annotations]
    assert names == ["Halts", "Emergency stops", "Breaker trips", "Deployments", "Alerts"]
    assert board.annotations[0].colour == colours.STATES["halted"]
    for each in board.annotations:
        assert all(known(name) or name in OTHERS for name in metrics(each.expr)), each.expr


def test_one_slug_is_one_panel_on_all_boards() -> None:
    """A panel that is on several boards has one title there, so that links and edits mean the same."""
    titles: dict[str, set[str]] = {}
    for board in BOARDS:
        for panel in board:
            titles.setdefault(panel.slug, set()).add(panel.title)
    different = {slug: found for slug, found in titles.items() if len(found) > 1}
    assert not {slug: found for slug, found in different.items() if slug not in MANY_TITLES}


MANY_TITLES = {"trade-duration", "positions-active", "alerts-firing"}
"""Slugs whose panels are a number on one board, and more than that on another."""


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_links_between_boards_lead_somewhere(board: Dashboard) -> None:
    """To a board, and to a panel that is on it."""
    there = {(each.uid, f"panel-{panel_id(panel.slug)}") for each in BOARDS for panel in each}
    for panel in board:
        for link in panel.links:
            if link.url.startswith("/d/"):
                uid, _, rest = link.url.removeprefix("/d/").partition("?")
                assert (uid, rest.rpartition("viewPanel=")[2]) in there, link.url
    assert all(isinstance(each, Row) or each.height in {4, 6} for each in board.panels)


def test_links_to_the_documentation_lead_to_pages() -> None:
    """Runbooks and other pages are where panels say that they are."""
    named = {link.url for board in BOARDS for panel in board for link in panel.links if link.url.startswith(DOCS)}
    assert len(named) > 30
    assert not [url for url in named if not (ROOT / "docs" / url.removeprefix(f"{DOCS}/")).is_file()]
