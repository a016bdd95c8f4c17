"""The examples of a page of the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def run_examples(page: str) -> dict[str, Any]:
    """Run them one after the other; the names they made."""
    text = (ROOT / "docs" / page).read_text("utf-8")
    examples = EXAMPLE.findall(text)
    assert examples
    names: dict[str, Any] = {}
    for source in examples:
        exec(compile(source, page, "exec"), names)  # noqa: S102 - what users are told to write
    return names
