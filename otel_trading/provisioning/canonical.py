"""One text for one board."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def text(board: Mapping[str, Any]) -> str:
    """A board as the text of its file."""
    return json.dumps(board, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
