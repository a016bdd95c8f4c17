"""Writes the generated parts of the documentation, or with --check says whether they are current."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.ops import openapi
from otel_trading.provisioning.rules import document as rules
from otel_trading.provisioning.rules import rendering
from otel_trading.settings.document import markdown
from otel_trading.trading.alias_table import ALIASES, NOT_ALIASED
from otel_trading.trading.conventions import document

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]


def conventions() -> str:
    """The page of names."""
    return document.markdown(ALIASES, NOT_ALIASED)


def _same(text: str) -> str:
    return text


PAGES: dict[Path, Callable[[], str]] = {
    ROOT / "docs" / "configuration.md": markdown,
    ROOT / "docs" / "conventions.md": conventions,
    ROOT / "docs" / "ops-api.md": openapi.markdown,
    ROOT / "docs" / "all-alerts.md": rules.markdown,
    **{ROOT / name: partial(_same, text) for name, text in rendering.files().items()},
}


def stale() -> list[Path]:
    """The pages that differ from what would be generated."""
    return [page for page, render in PAGES.items() if not page.is_file() or page.read_text("utf-8") != render()]


def main() -> None:
    if "--check" in sys.argv:
        if pages := stale():
            sys.exit(f"not current: {', '.join(str(page.relative_to(ROOT)) for page in pages)}; run: make generate")
        return
    for page, render in PAGES.items():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(render(), "utf-8")


if __name__ == "__main__":
    main()
