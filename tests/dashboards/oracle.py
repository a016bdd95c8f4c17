"""Grafana's own models of dashboards, as grafana-foundation-sdk has them: what they do not know, they drop."""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any

from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder

if TYPE_CHECKING:
    from collections.abc import Iterator

with warnings.catch_warnings():  # the classic model is what files and all versions of Grafana have
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.models.dashboard import Dashboard

plugins.register_default_plugins()


def through_the_models(board: dict[str, Any]) -> Any:
    """A board, read into the models and written again."""
    return json.loads(JSONEncoder().encode(Dashboard.from_json(json.loads(json.dumps(board)))))


def lost(given: Any, kept: Any, path: str = "") -> Iterator[str]:
    """What of a document is missing in another one, or different there; values that were added do not matter."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key, value in given.items():
            if key in kept:
                yield from lost(value, kept[key], f"{path}/{key}")
            else:
                yield f"{path}/{key}"
    elif isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        for place, (one, other) in enumerate(zip(given, kept, strict=True)):
            yield from lost(one, other, f"{path}/{place}")
    elif given != kept:
        yield f"{path}: {given!r} became {kept!r}"
