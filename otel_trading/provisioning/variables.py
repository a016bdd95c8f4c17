"""What can be chosen on top of a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.model import Variable

if TYPE_CHECKING:
    from otel_trading.provisioning.model import Json, Source

_BOTS = 'telemetry_sdk_language="python"'
_OWN = f'target_info{{{_BOTS}, job=~"$job"}}'


def _seen(series: str, label: str) -> str:
    return f'label_values({{__name__=~"{series}", job=~"$job"}}, {label})'


SOURCES = (
    Variable("prometheus", "Metrics", "datasource", "prometheus", several=False),
    Variable("loki", "Logs", "datasource", "loki", several=False),
    Variable("jaeger", "Traces", "datasource", "jaeger", several=False),
)
"""The data sources, by type; a board is tied to no installation's."""

JOB = Variable("job", "Job", query=f"label_values(target_info{{{_BOTS}}}, job)", everything=".+")
INSTANCE = Variable("instance", "Instance", query=f"label_values({_OWN}, instance)", everything=".+")
SERVICE = Variable("service", "Service", query=f"label_values({_OWN}, service_name)", several=False)
VENUE = Variable(
    *("venue", "Venue"),
    query=_seen("trading_(venue|market_data)_messages_total|trading_order_submissions_total", "trading_venue_name"),
)
SYMBOL = Variable(
    *("symbol", "Symbol"),
    query=_seen("trading_market_data_messages_total|trading_order_submissions_total", "trading_instrument_symbol"),
)
STRATEGY = Variable(
    *("strategy", "Strategy"),
    query=_seen(
        "trading_(order_submissions|opportunity_detections|trade_attempts)_total|trading_pnl_realized|trading_pnl_session",
        "trading_strategy_name",
    ),
)
SEARCH = Variable("search", "In the line", "textbox")

STANDARD = (*SOURCES, JOB, INSTANCE, SERVICE)
"""What every board has."""

TRADING = (*STANDARD, VENUE, SYMBOL, STRATEGY)
"""What boards about trading have."""


def source(of: Source) -> Json:
    """How panels name a data source: by the variable that chooses it."""
    return {"type": of, "uid": f"${{{of}}}"}


def rendered(variable: Variable) -> Json:
    """A variable as Grafana has it."""
    common: dict[str, Any] = {"name": variable.name, "label": variable.label, "type": variable.kind, "hide": 0}
    if variable.kind == "textbox":
        return {**common, "query": variable.query}
    chosen = {"includeAll": variable.several, "multi": variable.several, "regex": ""}
    if variable.kind == "datasource":
        return {**common, **chosen, "query": variable.query, "refresh": 1}
    return {
        **common,
        **chosen,
        **({"allValue": variable.everything} if variable.several else {}),
        "datasource": source("prometheus"),
        "definition": variable.query,
        "query": {"query": variable.query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
    }
