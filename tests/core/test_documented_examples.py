"""The Python in the documentation runs."""

from __future__ import annotations

import doctest
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.instrument.registry import LIBRARIES, OWN
from otel_trading.testing import capture

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


PAGES = [
    "README.md",
    "docs/metrics.md",
    "docs/cockpit.md",
    "docs/market-data.md",
    "docs/conventions.md",
    "docs/dashboards.md",
    "docs/redaction.md",
    "docs/ccxt.md",
    "docs/sockets.md",
    "docs/http.md",
    "docs/asyncio.md",
    "docs/instrumentation.md",
    "docs/alerts.md",
    "docs/health.md",
    "docs/emergency-stop.md",
    "docs/shutdown.md",
]


def take_back_instrumentations() -> None:
    """What a page switches on stays on for its reader, and not for the tests after it."""
    modules = {library.instrumentation: library.instrumentor for library in OWN.values()}
    names = [*modules.items(), *(("otel_trading.instrument.http", each.instrumentor) for each in LIBRARIES.values())]
    for module, name in names:
        instrumentor: Any = getattr(sys.modules.get(module), name, None)
        if instrumentor is not None and instrumentor().is_instrumented_by_opentelemetry:
            instrumentor().uninstrument()


@pytest.mark.parametrize("page", PAGES)
def test_examples_run_one_after_the_other(page: str) -> None:
    """Each example of a page runs with what the ones before it made."""
    text = (ROOT / page).read_text("utf-8")
    examples = [(match.group(1), text[: match.start()].count("\n") + 1) for match in EXAMPLE.finditer(text)]
    assert examples
    with capture():
        names: dict[str, object] = {}
        try:
            for source, line in examples:
                exec(compile("\n" * line + source, page, "exec"), names)  # noqa: S102 - what users are told to write
        finally:
            take_back_instrumentations()


def test_examples_of_logs_run(bot: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """One after the other in a process of its own; nobody receives them."""
    examples = EXAMPLE.findall((ROOT / "docs/logs.md").read_text("utf-8"))
    assert examples
    finished = bot("\n".join(examples), OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_TRADING_BANNER="false")
    assert (finished.returncode, "Traceback" in finished.stderr) == (0, False), finished.stderr
    assert "order c-1 is late" in finished.stderr


def test_examples_of_hot_configuration_run(bot: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """One after the other in a process of its own, in a folder of its own."""
    examples = EXAMPLE.findall((ROOT / "docs/hot-configuration.md").read_text("utf-8"))
    assert examples
    finished = bot("\n".join(examples), OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_TRADING_BANNER="false")
    assert (finished.returncode, finished.stdout) == (0, "risk.max_exposure: 10000.0 → 5000.0\n"), finished.stderr


def test_examples_of_traces_run_on_the_native_engine(bot: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """One after the other in a process of its own, since captured spans are the SDK's; nobody receives them."""
    examples = EXAMPLE.findall((ROOT / "docs/traces.md").read_text("utf-8"))
    assert examples
    finished = bot("\n".join(examples), OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_TRADING_BANNER="false")
    assert (finished.returncode, "Traceback" in finished.stderr) == (0, False), finished.stderr
    assert '"name": "shown"' in finished.stdout


def test_examples_of_log_files_write_them(tmp_path: Path, bot: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """One after the other in a process of its own; every source of the page has its line, in the file and printed."""
    examples = EXAMPLE.findall((ROOT / "docs/log-files.md").read_text("utf-8"))
    finished = bot("\n".join(examples), OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_TRADING_BANNER="false")
    assert (finished.returncode, "Traceback" in finished.stderr) == (0, False), finished.stderr
    lines = [json.loads(line) for line in (tmp_path / "logs" / "bot.log").read_text("utf-8").splitlines()]
    assert [line["message"] for line in lines if line["service"] != "otel_trading"] == [
        "filled",
        "partly filled",
        "filled",
        "filled at 67000.5",
    ]
    assert "INFO     order_router · order_filled · filled  symbol=BTC/USDT price=67000.5" in finished.stderr


def test_examples_of_trading_events_hold() -> None:
    """As they are shown, with what they print."""
    failed, tried = doctest.testfile(str(ROOT / "docs/trading-events.md"), module_relative=False)
    assert failed == 0
    assert tried > 20


def test_the_documented_test_passes() -> None:
    """The test that the documentation shows holds for a bot that is slow."""
    names: dict[str, object] = {}
    sources = EXAMPLE.findall((ROOT / "docs/metrics.md").read_text("utf-8"))
    exec(next(source for source in sources if "def test_slow_fill" in source), names)  # noqa: S102
    with capture() as telemetry:
        names["test_slow_fill_is_reported"](telemetry)  # type: ignore[operator]
