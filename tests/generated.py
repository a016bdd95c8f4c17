"""Writes what is generated: pages, dashboards, rules; with --check says whether all of it is current."""

from __future__ import annotations

import sys
from pathlib import Path

from otel_trading.ops import openapi
from otel_trading.provisioning import files
from otel_trading.settings.document import markdown
from otel_trading.trading.alias_table import ALIASES, NOT_ALIASED
from otel_trading.trading.conventions import document

ROOT = Path(__file__).parents[1]


def conventions() -> str:
    """The page of names."""
    return document.markdown(ALIASES, NOT_ALIASED)


PAGES = {
    ROOT / "docs" / "configuration.md": markdown,
    ROOT / "docs" / "conventions.md": conventions,
    ROOT / "docs" / "ops-api.md": openapi.markdown,
}


def texts() -> dict[Path, str]:
    """The text of each generated file, with the edits that were made in Grafana."""
    pages = {page: render() for page, render in PAGES.items()}
    try:
        provisioned = files.files(ROOT)
    except ModuleNotFoundError as error:
        if "otel_trading.provisioning" not in str(error.name):
            raise
        provisioned = {}
    return pages | {ROOT / name: text for name, text in provisioned.items()}


def stale() -> list[Path]:
    """The files that differ from what would be generated."""
    return [file for file, text in texts().items() if not file.is_file() or file.read_text("utf-8") != text]


def main() -> None:
    if "--check" in sys.argv:
        if found := stale():
            sys.exit(f"not current: {', '.join(str(file.relative_to(ROOT)) for file in found)}; run: make generate")
        return
    for file, text in texts().items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
