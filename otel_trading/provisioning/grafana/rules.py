"""Alert rules as a tree, whatever form they come in: a file of provisioning, or an answer of the API."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.canonical import ordered, plain, without_defaults
from otel_trading.provisioning.grafana.errors import ProvisioningError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_trading.provisioning.grafana.tree import Tree

_EXPRESSION = "__expr__"
_DATABASE = frozenset({"folderUID", "id", "orgID", "orgId", "provenance", "ruleGroup", "uid", "updated"})
_RULE = {
    "annotations": {},
    "isPaused": False,
    "keep_firing_for": "0s",
    "labels": {},
    "missingSeriesEvalsToResolve": 0,
    "missing_series_evals_to_resolve": 0,
}
_IN_FILES = {"keepFiringFor": "keep_firing_for"}
"""What files of provisioning call otherwise than the API does."""
_QUERY = {"queryType": ""}
_MODEL = {"hide": False, "intervalMs": 1000, "maxDataPoints": 43200, "queryType": ""}
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])")


def tree(groups: Iterable[Mapping[str, Any]]) -> Tree:
    """The tree of groups of rules.

    Args:
        groups: each with ``name``, ``folder`` (its titles, separated by ``/``), ``interval`` and ``rules``, which have
            a ``uid``.

    Raises:
        ProvisioningError: a rule has no uid, or two have the same.

    >>> made = tree([{"name": "venues", "folder": "Trading", "interval": "1m", "rules": [
    ...     {"uid": "silent", "title": "Silent", "for": "5m0s", "data": [], "isPaused": False}]}])
    >>> made["rules"], made["groups"]
    ({'silent': {'title': 'Silent', 'data': {}, 'for': '5m', 'folder': 'Trading', 'group': 'venues'}}, \
{'Trading/venues': {'interval': 60}})

    """
    rules: Tree = {}
    intervals: Tree = {}
    for group in groups:
        name, folder = str(group["name"]), str(group.get("folder", ""))
        intervals[f"{folder}/{name}"] = {"interval": seconds(group.get("interval", "1m"))}
        for rule in group.get("rules") or []:
            uid = rule.get("uid")
            if not uid or uid in rules:
                why = "the uid of another one" if uid else "no uid"
                raise ProvisioningError(f"the alert rule {rule.get('title')!r} of {name!r} has {why}")
            rules[str(uid)] = canonical(rule) | {"folder": folder, "group": name}
    return {"groups": intervals, "rules": rules}


def canonical(rule: Mapping[str, Any]) -> Tree:
    """What a rule says, without what its server keeps account of; its queries by their letter."""
    own: dict[str, Any] = {
        str(_IN_FILES.get(key, key)): value for key, value in plain(dict(rule)).items() if key not in _DATABASE
    }
    for key in ("for", "keep_firing_for"):
        if key in own:
            own[key] = duration(own[key])
    annotations = dict(own.get("annotations") or {})
    if "dashboardUid" in own:
        annotations["__dashboardUid__"] = str(own.pop("dashboardUid"))
    if "panelId" in own:
        annotations["__panelId__"] = str(own.pop("panelId"))
    own["annotations"] = annotations
    own["data"] = {str(query.get("refId", "")): _query(query) for query in own.get("data") or []}
    return ordered(without_defaults(own, _RULE))  # type: ignore[no-any-return]


def groups(of: Tree) -> list[dict[str, Any]]:
    """The groups of a tree, with the names that the API has for the fields of rules."""
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for uid, rule in sorted(of.get("rules", {}).items()):
        own = {key: value for key, value in rule.items() if key not in {"data", "folder", "group"}}
        own["data"] = [{"refId": letter, **_full(query, letter)} for letter, query in rule.get("data", {}).items()]
        found.setdefault((rule["folder"], rule["group"]), []).append({"uid": uid, **own})
    intervals = of.get("groups", {})
    return [
        {
            "name": name,
            "folder": folder,
            "interval": intervals.get(f"{folder}/{name}", {}).get("interval", 60),
            "rules": rules,
        }
        for (folder, name), rules in sorted(found.items())
    ]


def in_file(group: Mapping[str, Any]) -> dict[str, Any]:
    """A group as a file of provisioning has it."""
    names = {api: file for file, api in _IN_FILES.items()}
    rules = [{names.get(key, key): value for key, value in rule.items()} for rule in group["rules"]]
    return {"orgId": 1, **group, "interval": duration(group["interval"]), "rules": rules}


def seconds(given: Any) -> int:  # noqa: ANN401 - text or a number
    """A time in whole seconds.

    >>> seconds("1h30m0s"), seconds(60), seconds("2d")
    (5400, 60, 172800)
    """
    if isinstance(given, int | float):
        return int(given)
    parts = _DURATION.findall(str(given))
    if "".join(number + unit for number, unit in parts) != str(given) or not parts:
        raise ProvisioningError(f"{given!r} is no time; allowed is such as 30s, 5m or 1h30m")
    return round(sum(float(number) * _UNITS[unit] for number, unit in parts))


def duration(given: Any) -> str:  # noqa: ANN401 - text or a number
    """A time as it is written here, in the largest unit that fits.

    >>> duration("5m0s"), duration("90s"), duration(0)
    ('5m', '90s', '0s')
    """
    whole = seconds(given)
    unit, size = next((u, n) for u, n in (("h", 3600), ("m", 60), ("s", 1)) if whole % n == 0 and (whole or u == "s"))
    return f"{whole // size}{unit}"


def _query(given: Mapping[str, Any]) -> Tree:
    own = without_defaults({key: value for key, value in given.items() if key != "refId"}, _QUERY)
    source = own.get("datasourceUid")
    if source == "-100":
        source = own["datasourceUid"] = _EXPRESSION
    if source == _EXPRESSION:
        own.pop("relativeTimeRange", None)
    model = own.get("model")
    if isinstance(model, dict):
        kept = without_defaults({key: value for key, value in model.items() if key != "refId"}, _MODEL)
        named = kept.get("datasource")
        if isinstance(named, dict) and named.get("uid") in {source, "-100"}:
            del kept["datasource"]
        own["model"] = kept
    return own


def _full(query: Mapping[str, Any], letter: str) -> dict[str, Any]:
    own = dict(query)
    model = {"refId": letter, **(own.get("model") or {})}
    if own.get("datasourceUid") == _EXPRESSION:
        own.setdefault("relativeTimeRange", {"from": 0, "to": 0})
        model.setdefault("datasource", {"type": _EXPRESSION, "uid": _EXPRESSION})
    return own | {"model": model}
