"""The Python in the documentation runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from otel_trading.testing import capture

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "docs/metrics.md"])
def test_examples_run_one_after_the_other(page: str) -> None:
    """Each example of a page runs with what the ones before it made."""
    text = (ROOT / page).read_text("utf-8")
    examples = [(match.group(1), text[: match.start()].count("\n") + 1) for match in EXAMPLE.finditer(text)]
    assert examples
    with capture():
        names: dict[str, object] = {}
        for source, line in examples:
            exec(compile("\n" * line + source, page, "exec"), names)  # noqa: S102 - what users are told to write


def test_examples_of_traces_run_on_the_native_engine(bot: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    """One after the other in a process of its own, since captured spans are the SDK's; nobody receives them."""
    examples = EXAMPLE.findall((ROOT / "docs/traces.md").read_text("utf-8"))
    assert examples
    finished = bot("\n".join(examples), OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_TRADING_BANNER="false")
    assert (finished.returncode, "Traceback" in finished.stderr) == (0, False), finished.stderr
    assert '"name": "shown"' in finished.stdout


def test_the_documented_test_passes() -> None:
    """The test that the documentation shows holds for a bot that is slow."""
    names: dict[str, object] = {}
    sources = EXAMPLE.findall((ROOT / "docs/metrics.md").read_text("utf-8"))
    exec(next(source for source in sources if "def test_slow_fill" in source), names)  # noqa: S102
    with capture() as telemetry:
        names["test_slow_fill_is_reported"](telemetry)  # type: ignore[operator]
