"""Whatever is measured, shown or alerted on has a name that is declared."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics.export import Gauge, Sum

from otel_trading.demo.venue import GeneratedMarket, Venues
from otel_trading.runtime import disk, process, system
from otel_trading.testing import capture
from otel_trading.trading.conventions import ATTRIBUTES, EVENTS, INSTRUMENTS, check
from tests.demo.bots import trading, until

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "otel_trading"
MAKERS = re.compile(r"create_(observable_)?(counter|up_down_counter|gauge|(signed_)?histogram)")
NOT_NAMES = {"trading.halt"}
"""What names begin with."""
NOT_OURS = {"process_pid", "process_resident_memory_bytes"}
"""A resource attribute of the bots', and what the backends call their memory."""
OWN_LABELS = {
    "service_name",
    "service_namespace",
    "service_instance_id",
    "service_version",
    "deployment_environment_name",
}


def sources() -> list[Path]:
    return [file for file in sorted(PACKAGE.rglob("*.py")) if "bench" not in file.relative_to(PACKAGE).parts]


def calls(file: Path) -> Iterator[tuple[str, list[ast.expr]]]:
    """What is called with what, where the first argument is a name."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            yield called, list(node.args)


def test_every_instrument_that_the_kit_makes_is_declared() -> None:
    """By kind, unit and description, wherever they are written down."""
    seen = set()
    for file in sources():
        for called, arguments in calls(file):
            match = MAKERS.fullmatch(called)
            if not match:
                continue
            texts = [each.value for each in arguments if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            name = texts[0]
            seen.add(name)
            assert name in INSTRUMENTS, f"{file.name}: {check([name])}"
            declared = INSTRUMENTS[name]
            assert match.group(2) == declared.kind, name
            assert declared.unit in texts, name
            if "demo" not in file.parts:
                assert declared.description in texts, name
    assert len(seen) > 20


def test_every_row_of_runtime_telemetry_is_declared() -> None:
    """Process, machine, disks."""
    rows = [*process.ROWS, *system.ROWS, *disk.ROWS]
    for row in rows:
        declared = INSTRUMENTS[row.name]
        assert (row.kind, row.unit, row.description) == (declared.kind, declared.unit, declared.description)
        assert declared.observable


def test_every_text_in_the_source_that_looks_like_a_name_is_one() -> None:
    """Attributes, instruments and events, in all of the package."""
    names: set[str] = set()
    for file in sources():
        if "conventions" not in file.parts:
            constants = (
                node for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Constant)
            )
            texts = {node.value for node in constants if isinstance(node.value, str)}
            names |= {text for text in texts if re.fullmatch(r"trading(\.[a-z0-9_]+)+", text)}
    assert check(sorted(names - NOT_NAMES)) == []
    assert len(names) > 60


@pytest.mark.parametrize(
    "file",
    [*sorted((ROOT / "grafana").rglob("*.json")), *sorted((ROOT / "collector" / "rules").rglob("*.yml"))],
    ids=lambda file: file.name,
)
def test_every_name_in_dashboards_and_rules_is_known(file: Path) -> None:
    """Metrics and labels, as Prometheus calls them."""
    names = set(re.findall(r"\b(?:trading|process|system|cpython|container)_[a-z0-9_]+", file.read_text("utf-8")))
    assert check(sorted(names - NOT_OURS)) == []


def kind(metric: Any) -> str:
    if isinstance(metric.data, Sum):
        return "counter" if metric.data.is_monotonic else "up_down_counter"
    return "gauge" if isinstance(metric.data, Gauge) else "histogram"


@pytest.mark.parametrize("engine", ["native", "sdk"])
async def test_everything_the_demo_exports_is_declared(engine: Any) -> None:
    """Kind, unit and attributes; all points of an instrument have the same attributes, but for the optional ones."""
    with capture(engine=engine, real_time=True) as telemetry:
        async with Venues(GeneratedMarket(2)) as venues, trading(venues, telemetry=telemetry) as (_, tally):
            await until(lambda: tally.trades.total() >= 1)
        data = telemetry.metrics.data
    assert data is not None
    metrics = [metric for scope in data.resource_metrics[0].scope_metrics for metric in scope.metrics]
    assert len(metrics) > 20
    for metric in metrics:
        declared = INSTRUMENTS.get(metric.name)
        assert declared is not None, check([metric.name])
        assert kind(metric) == declared.kind.removeprefix("signed_"), metric.name
        assert metric.unit == declared.unit, metric.name
        points: list[Any] = list(metric.data.data_points)
        keys = [frozenset(point.attributes or {}) - {"otel.metric.overflow"} for point in points]
        allowed = {*declared.attributes, *declared.optional}
        assert all(each <= allowed for each in keys), (metric.name, [sorted(each - allowed) for each in keys])
        assert len({each - set(declared.optional) for each in keys}) <= 1, metric.name
    for span in telemetry.traces:
        own = [key for key in span.attributes if key.startswith("trading.") and key not in NOT_NAMES]
        assert check(own) == []


def test_events_and_attributes_do_not_collide_with_what_lanes_look_for() -> None:
    """What is about money and trouble begins as the kit's queues know it, so that it is lost last."""
    from otel_trading.logs.lanes import PREFIXES

    important = {"order", "trade", "execution", "position", "pnl", "risk", "circuit_breaker", "halted"}
    for name in EVENTS:
        if name.split(".")[1] in important:
            assert name.startswith(PREFIXES), name
    assert ATTRIBUTES["trading.order.client_id"].name.startswith(PREFIXES)
