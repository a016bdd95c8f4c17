"""What a dashboard of the newer schema (v2) uses that a classic one has no words for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ELEMENTS = frozenset({"LibraryPanel", "Panel"})
_VARIABLES = frozenset(
    {
        "AdhocVariable",
        "ConstantVariable",
        "CustomVariable",
        "DatasourceVariable",
        "GroupByVariable",
        "IntervalVariable",
        "QueryVariable",
        "TextVariable",
    }
)
_ROW = frozenset({"collapse", "layout", "repeat", "title"})
_NAMES = {"AutoGridLayout": "auto grid", "TabsLayout": "tabs", "RowsLayout": "rows within rows"}


def only_in_v2(spec: Mapping[str, Any]) -> list[str]:
    """The features of a v2 dashboard that its classic form would lose; none, when it loses nothing.

    Args:
        spec: the ``spec`` of the resource.

    >>> only_in_v2({"elements": {}, "layout": {"kind": "TabsLayout", "spec": {"tabs": []}}})
    ['tabs']
    >>> only_in_v2({"elements": {}, "layout": {"kind": "GridLayout", "spec": {"items": []}}})
    []

    """
    found = [*_of_layout(spec.get("layout")), *_of_kinds(spec)]
    if _has(spec, "conditionalRendering"):
        found.append("conditional rendering")
    return list(dict.fromkeys(found))


def lost(spec: Mapping[str, Any], classic: Mapping[str, Any]) -> list[str]:
    """What of a v2 dashboard is missing in the classic form that Grafana made of it.

    >>> lost({"elements": {"panel-1": {}, "panel-2": {}}}, {"panels": [{"type": "stat"}]})
    ['1 of 2 panels']
    """
    panels = [panel for panel in _flat(classic.get("panels") or []) if panel.get("type") != "row"]
    there = {
        "panels": (len(spec.get("elements") or {}), len(panels)),
        "variables": (len(spec.get("variables") or []), _listed(classic, "templating")),
        "links": (len(spec.get("links") or []), len(classic.get("links") or [])),
    }
    return [f"{had - has} of {had} {what}" for what, (had, has) in there.items() if has < had]


def _of_layout(layout: Any) -> Iterator[str]:  # noqa: ANN401 - JSON
    if not isinstance(layout, dict) or layout.get("kind") == "GridLayout":
        return
    if layout.get("kind") != "RowsLayout":
        yield _named(layout)
        return
    for row in (layout.get("spec") or {}).get("rows") or []:
        spec = row.get("spec") or {}
        for key in sorted(spec.keys() - _ROW):
            if spec[key] not in (None, False, "", [], {}) and key != "conditionalRendering":
                yield f"{key} of a row"
        inner = spec.get("layout")
        if isinstance(inner, dict) and inner.get("kind") != "GridLayout":
            yield _named(inner)


def _of_kinds(spec: Mapping[str, Any]) -> Iterator[str]:
    for element in (spec.get("elements") or {}).values():
        if isinstance(element, dict) and element.get("kind") not in _ELEMENTS:
            yield f"elements of kind {element.get('kind')}"
    for variable in spec.get("variables") or []:
        if isinstance(variable, dict) and variable.get("kind") not in _VARIABLES:
            yield f"variables of kind {variable.get('kind')}"


def _named(layout: Mapping[str, Any]) -> str:
    kind = str(layout.get("kind"))
    return _NAMES.get(kind, f"a layout of kind {kind}")


def _has(value: Any, key: str) -> bool:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return bool(value.get(key)) or any(_has(each, key) for each in value.values())
    return isinstance(value, list) and any(_has(each, key) for each in value)


def _flat(panels: list[Any]) -> Iterator[Mapping[str, Any]]:
    for panel in panels:
        if isinstance(panel, dict):
            yield panel
            yield from _flat(panel.get("panels") or [])


def _listed(classic: Mapping[str, Any], key: str) -> int:
    return len((classic.get(key) or {}).get("list") or [])
