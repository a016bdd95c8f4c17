from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from otel_trading.stack.files import CHECKOUT, PACKAGED

if TYPE_CHECKING:
    from pathlib import Path


TESTS = CHECKOUT / "collector" / "rules" / "tests"
"""What promtool asks about the rules; nobody who runs them needs it."""


def files_of_the_stack() -> list[Path]:
    found = [CHECKOUT / "compose.yaml"]
    for folder in ("collector", "grafana"):
        found += [file for file in sorted((CHECKOUT / folder).rglob("*")) if file.is_file() and file.parent != TESTS]
    return found


def link_files() -> None:
    # maturin follows links to files and not links to folders
    shutil.rmtree(PACKAGED, ignore_errors=True)
    for file in files_of_the_stack():
        link = PACKAGED / file.relative_to(CHECKOUT)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(file, link.parent))


if __name__ == "__main__":
    link_files()
