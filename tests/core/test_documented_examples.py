"""The Python in the documentation runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otel_trading.testing import capture

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


def test_the_documented_test_passes() -> None:
    """The test that the documentation shows holds for a bot that is slow."""
    names: dict[str, object] = {}
    sources = EXAMPLE.findall((ROOT / "docs/metrics.md").read_text("utf-8"))
    exec(next(source for source in sources if "def test_slow_fill" in source), names)  # noqa: S102
    with capture() as telemetry:
        names["test_slow_fill_is_reported"](telemetry)  # type: ignore[operator]
