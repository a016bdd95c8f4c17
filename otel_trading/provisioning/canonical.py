"""One text for one dashboard: what Grafana adds, reorders or supposes makes no difference to it.

Every save in the browser, and every version of Grafana, writes a dashboard a little differently. Here what carries no
meaning goes (numbers of the database, versions, values chosen last, what equals Grafana's defaults) and the rest has
one order, so that a change of the text is a change of the dashboard.
"""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning import defaults
from otel_trading.provisioning.ids import panel_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_DATABASE = frozenset(
    {"__elements", "__inputs", "__requires", "gnetId", "id", "iteration", "meta", "snapshot", "version"}
)
_CHOSEN = frozenset({"current"})
_DERIVED = frozenset({"constant", "custom", "datasource", "interval", "query", "textbox"})
"""Kinds of variables whose options follow from what else they say."""
_OF_THEIR_OWN = frozenset({"-- Dashboard --", "-- Grafana --", "-- Mixed --", "__expr__", "grafana"})
"""Data sources which every Grafana has."""
_LIBRARY = frozenset({"gridPos", "id", "libraryPanel", "maxPerRow", "repeat", "repeatDirection", "title"})
"""What a dashboard itself says of a panel of the library."""
_FIRST = ("id", "refId", "type", "title", "name", "label", "description", "uid", "tags", "gridPos")
"""What comes before the rest, which is alphabetical."""
_WHOLE = frozenset(
    {"cellOptions", "color", "hideFrom", "lineStyle", "scaleDistribution", "stacking", "thresholds", "time"}
)
"""What is supposed as a whole or not at all."""


def canonical(board: Mapping[str, Any], *, with_time: bool = True) -> dict[str, Any]:
    """A dashboard's canonical form, in new objects; the same for whatever Grafana makes of it.

    Args:
        board: a dashboard in Grafana's classic form, or in the newer one (a resource, or its ``spec``), of which
            nothing is dropped but what the server keeps account of.
        with_time: keep the range of time and how often it is refreshed; both are often only where somebody last was.

    Raises:
        ValueError: a number is not finite, or a key is not text.

    >>> canonical({"id": 7, "version": 3, "title": "Orders", "editable": True, "panels": [
    ...     {"id": 2, "type": "stat", "gridPos": {"x": 6.0, "y": 0, "w": 6, "h": 4}},
    ...     {"id": 1, "type": "stat", "gridPos": {"x": 0, "y": 0, "w": 6, "h": 4}, "transparent": False}]})
    {'title': 'Orders', 'panels': [{'id': 1, 'type': 'stat', 'gridPos': {'h': 4, 'w': 6, 'x': 0, 'y': 0}}, \
{'id': 2, 'type': 'stat', 'gridPos': {'h': 4, 'w': 6, 'x': 6, 'y': 0}}]}

    """
    own: dict[str, Any] = plain(board)
    if is_v2(own):
        return _of_resource(own)
    if not with_time:
        own = {key: value for key, value in own.items() if key not in {"refresh", "time"}}
    own = {key: value for key, value in own.items() if key not in _DATABASE}
    if own.get("refresh") is False:
        del own["refresh"]
    variables = [each for each in _list(own, "templating") if isinstance(each, dict)]
    sources = _Sources(variables)
    own = sources.named(own)
    _replace(own, "templating", [_variable(each) for each in _list(own, "templating")])
    _replace(own, "annotations", [_annotation(each) for each in _list(own, "annotations") if not _is_built_in(each)])
    own = without_defaults(own, defaults.BOARD)
    own["panels"] = _panels(own.get("panels") or [], set())
    return ordered(own)  # type: ignore[no-any-return]


def text(board: Mapping[str, Any]) -> str:
    """A dashboard's canonical text: UTF-8, two spaces to a level, a line break at the end.

    >>> print(text({"title": "Été", "panels": [], "id": None}), end="")
    {
      "title": "Été",
      "panels": []
    }
    """
    return written(canonical(board))


def written(document: object) -> str:
    """A document as it is kept in files; keys in the order they have."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def is_v2(board: Mapping[str, Any]) -> bool:
    """Whether a dashboard is of the newer schema, of elements and a layout.

    >>> is_v2({"elements": {}, "layout": {"kind": "GridLayout"}}), is_v2({"panels": []})
    (True, False)
    """
    version = str(board.get("apiVersion", "")).rpartition("/")[2]
    return version.startswith("v2") or {"elements", "layout"} <= board.keys()


def plain(value: Any) -> Any:  # noqa: ANN401 - JSON
    """JSON without what means nothing: keys without a value, and whole numbers written as fractions.

    >>> plain({"w": 6.0, "min": None, "steps": [None, 0.5, -0.0]})
    {'w': 6, 'steps': [None, 0.5, 0]}
    """
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f"keys of a dashboard are texts, not {[key for key in value if not isinstance(key, str)]}")
        return {key: plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        if value - value != 0:
            raise ValueError(f"a dashboard has no number {value}")
        return int(value) if value.is_integer() else value
    return value


def without_defaults(given: dict[str, Any], supposed: Mapping[str, Any]) -> dict[str, Any]:
    """What differs from what is supposed, at any depth."""
    kept: dict[str, Any] = {}
    for key, value in given.items():
        if key in supposed:
            inner = supposed[key]
            if _same(value, inner):
                continue
            if isinstance(value, dict) and isinstance(inner, dict) and key not in _WHOLE:
                value = without_defaults(value, inner)  # noqa: PLW2901 - what is left of it
                if not value:
                    continue
        kept[key] = value
    return kept


def ordered(value: Any) -> Any:  # noqa: ANN401 - JSON
    """JSON with its keys in one order, at any depth."""
    if isinstance(value, dict):
        first = [key for key in _FIRST if key in value]
        return {key: ordered(value[key]) for key in (*first, *sorted(value.keys() - first))}
    if isinstance(value, list):
        return [ordered(each) for each in value]
    return value


class _Sources:
    """The data sources which a dashboard has variables for."""

    def __init__(self, variables: Iterable[Mapping[str, Any]]) -> None:
        self._names: dict[str, list[str]] = {}
        self._chosen: dict[tuple[str, str], str] = {}
        for each in variables:
            if each.get("type") == "datasource" and "name" in each:
                kind, name = str(each.get("query", "")), str(each["name"])
                self._names.setdefault(kind, []).append(name)
                chosen = (each.get("current") or {}).get("value")
                if isinstance(chosen, str):
                    self._chosen.setdefault((kind, chosen), name)

    def named(self, value: Any, key: str = "") -> Any:  # noqa: ANN401 - JSON
        if isinstance(value, list):
            return [self.named(each) for each in value]
        if not isinstance(value, dict):
            return value
        if key == "datasource" and isinstance(value.get("uid"), str):
            return {**value, "uid": self._variable(str(value.get("type", "")), value["uid"])}
        return {inner: self.named(each, inner) for inner, each in value.items()}

    def _variable(self, kind: str, uid: str) -> str:
        if uid.startswith("$"):
            return "${" + uid[1:] + "}" if uid[1:2] != "{" else uid
        names = self._names.get(kind, [])
        if uid in _OF_THEIR_OWN or not names:
            return uid
        name = names[0] if len(names) == 1 else self._chosen.get((kind, uid))
        return uid if name is None else "${" + name + "}"


def _variable(given: Any) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(given, dict):
        return given
    derived = given.get("type") in _DERIVED
    own = {key: each for key, each in given.items() if key not in _CHOSEN and not (derived and key == "options")}
    query = own.get("query")
    asked = query.get("query") if isinstance(query, dict) else query
    if "definition" in own and own["definition"] in (asked, ""):
        del own["definition"]
    if own.get("type") == "interval" and not own.get("auto"):
        own = without_defaults(own, {"auto_count": 30, "auto_min": "10s"})
    return without_defaults(own, defaults.VARIABLE)


def _annotation(given: Any) -> Any:  # noqa: ANN401 - JSON
    return without_defaults(given, defaults.ANNOTATION) if isinstance(given, dict) else given


def _is_built_in(annotation: Any) -> bool:  # noqa: ANN401 - JSON
    """Whether this is the one that Grafana adds to each dashboard, as it adds it."""
    return isinstance(annotation, dict) and bool(annotation.get("builtIn")) and annotation.get("enable", True) is True


def _panels(given: list[Any], taken: set[int]) -> list[dict[str, Any]]:
    """Panels in the order in which one reads them, each with a number of its own."""
    panels = sorted((each for each in given if isinstance(each, dict)), key=_place)
    taken |= {each["id"] for each in _flat(panels) if _is_number(each.get("id"))} if not taken else set()
    seen: set[int] = set()
    for each in _flat(panels):
        if not _is_number(each.get("id")) or each["id"] in seen:
            each["id"] = _free(each, taken)
        seen.add(each["id"])
    return [_panel(each) for each in sorted(panels, key=_place)]


def _flat(panels: Iterable[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    for each in panels:
        yield each
        yield from sorted((inner for inner in each.get("panels") or [] if isinstance(inner, dict)), key=_place)


def _free(panel: Mapping[str, Any], taken: set[int]) -> int:
    attempts = (panel_id(f"{panel.get('type', '')}/{panel.get('title', '')}/{attempt}") for attempt in count())
    number = next(attempt for attempt in attempts if attempt not in taken)
    taken.add(number)
    return number


def _panel(given: dict[str, Any]) -> dict[str, Any]:
    own = {key: each for key, each in given.items() if key != "pluginVersion"}
    if isinstance(own.get("libraryPanel"), dict):
        named = {key: each for key, each in own["libraryPanel"].items() if key in {"name", "uid"}}
        own = {key: each for key, each in own.items() if key in _LIBRARY} | {"libraryPanel": named}
        return without_defaults(own, defaults.PANEL)
    if isinstance(own.get("targets"), list):
        own["targets"] = sorted((_target(each, own.get("datasource")) for each in own["targets"]), key=_letter)
    nested = own.pop("panels", None)
    if "repeat" not in own or not own["repeat"]:
        own.pop("repeatDirection", None)
    kept = without_defaults(own, defaults.of_panel(str(own.get("type", ""))))
    if isinstance(nested, list) and nested:
        kept["panels"] = [_panel(each) for each in sorted((n for n in nested if isinstance(n, dict)), key=_place)]
    return kept


def _target(given: Any, source: Any) -> Any:  # noqa: ANN401 - JSON
    if not isinstance(given, dict):
        return given
    own = {key: each for key, each in given.items() if key != "key"}
    if "datasource" not in own and isinstance(source, dict) and source.get("uid") not in _OF_THEIR_OWN:
        own["datasource"] = source
    return without_defaults(own, defaults.TARGET)


def _of_resource(given: dict[str, Any]) -> dict[str, Any]:
    metadata = given.get("metadata")
    own = {key: each for key, each in given.items() if key not in {"access", "metadata", "status"}}
    if isinstance(metadata, dict):
        kept = {key: metadata[key] for key in ("name",) if key in metadata}
        folder = (metadata.get("annotations") or {}).get("grafana.app/folder")
        own["metadata"] = kept | ({"annotations": {"grafana.app/folder": folder}} if folder else {})
    return ordered(own)  # type: ignore[no-any-return]


def _place(panel: Mapping[str, Any]) -> tuple[int, int, int, str, str]:
    position = panel.get("gridPos")
    at = position if isinstance(position, dict) else {}
    y, x, number = (_number(each) for each in (at.get("y"), at.get("x"), panel.get("id")))
    return y, x, number, str(panel.get("type", "")), json.dumps(panel, sort_keys=True)


def _letter(target: Any) -> tuple[int, str, str]:  # noqa: ANN401 - JSON
    letter = str(target.get("refId", "")) if isinstance(target, dict) else ""
    return len(letter), letter, json.dumps(target, sort_keys=True)


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _same(one: object, other: object) -> bool:
    """Whether two values are the same JSON: 1 is not true."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(plain(other), sort_keys=True)


def _list(board: Mapping[str, Any], key: str) -> list[Any]:
    holder = board.get(key)
    found = holder.get("list") if isinstance(holder, dict) else None
    return found if isinstance(found, list) else []


def _replace(board: dict[str, Any], key: str, entries: list[Any]) -> None:
    if entries:
        board[key] = {"list": entries}
    else:
        board.pop(key, None)
