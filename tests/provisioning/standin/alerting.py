from __future__ import annotations

import copy
import re
from typing import Any

from tests.provisioning.standin.state import Refused, State

REDACTED = "[REDACTED]"
SECURE = {
    "slack": {"url", "token"},
    "telegram": {"bottoken"},
    "discord": {"url"},
    "pagerduty": {"integrationKey"},
    "webhook": {"password", "authorization_credentials"},
    "email": set(),
}
NEEDED = {"slack": (), "telegram": ("bottoken", "chatid"), "pagerduty": ("integrationKey",), "webhook": ("url",)}
RULE = {
    "annotations",
    "condition",
    "data",
    "execErrState",
    "folderUID",
    "for",
    "id",
    "isPaused",
    "keep_firing_for",
    "labels",
    "missingSeriesEvalsToResolve",
    "noDataState",
    "notification_settings",
    "orgID",
    "provenance",
    "record",
    "ruleGroup",
    "title",
    "uid",
    "updated",
}
REQUIRED = ("condition", "data", "execErrState", "folderUID", "for", "noDataState", "orgID", "ruleGroup", "title")
DURATION = re.compile(r"(\d+(ms|[smhdwy]))+")


def shown_rule(rule: dict[str, Any]) -> dict[str, Any]:
    """A rule as it is answered: with what the server keeps account of, and every field."""
    return {
        "labels": {},
        "annotations": {},
        "isPaused": False,
        "updated": "2026-11-01T10:00:00Z",
        **copy.deepcopy(rule),
    }


def group(state: State, folder: str, name: str) -> dict[str, Any]:
    rules = [rule for rule in state.rules.values() if (rule["folderUID"], rule["ruleGroup"]) == (folder, name)]
    if not rules:
        raise Refused(404, "rule group not found")
    interval = state.intervals.get((folder, name), 60)
    return {"title": name, "folderUid": folder, "interval": interval, "rules": [shown_rule(each) for each in rules]}


def put_group(state: State, folder: str, name: str, body: dict[str, Any], provenance: str) -> dict[str, Any]:
    if folder not in state.folders:
        raise Refused(400, "folder does not exist")
    if body.keys() - {"title", "folderUid", "interval", "rules"}:
        raise Refused(400, f"unknown fields {sorted(body.keys())}")
    if body.get("title") != name or body.get("folderUid") != folder:
        raise Refused(400, "title and folderUid are not those of the path")
    if not isinstance(body.get("interval"), int) or body["interval"] % 10:
        raise Refused(400, "interval has to be a multiple of 10 seconds")
    kept = {rule["uid"] for rule in body["rules"]}
    for rule in body["rules"]:
        _check_rule(state, rule, folder, name)
        _check_provenance(state, rule["uid"], provenance)
    for uid in [uid for uid, rule in state.rules.items() if (rule["folderUID"], rule["ruleGroup"]) == (folder, name)]:
        if uid not in kept:
            del state.rules[uid]
    for rule in body["rules"]:
        number = state.rules.get(rule["uid"], {}).get("id") or next(state.numbers)
        state.rules[rule["uid"]] = {**copy.deepcopy(rule), "id": number, "orgID": 1, "provenance": provenance}
    state.intervals[folder, name] = body["interval"]
    return group(state, folder, name)


def _check_provenance(state: State, uid: str, provenance: str) -> None:
    was = state.rules.get(uid, {}).get("provenance", "")
    if was not in {provenance, ""} and (was == "file" or state.major < 10):
        raise Refused(500, f"cannot change provenance from '{was}' to '{provenance}'")


def _check_rule(state: State, rule: dict[str, Any], folder: str, name: str) -> None:
    if unknown := rule.keys() - RULE:
        raise Refused(400, f"unknown fields of a rule: {sorted(unknown)}")
    if missing := [key for key in REQUIRED if key not in rule]:
        raise Refused(400, f"a rule lacks {missing}")
    if (rule["folderUID"], rule["ruleGroup"]) != (folder, name):
        raise Refused(400, "a rule names another group than that of the path")
    for key in ("for", "keep_firing_for"):
        if key in rule and not DURATION.fullmatch(rule[key]):
            raise Refused(400, f"{key}: {rule[key]!r} is no duration")
    letters = [query.get("refId") for query in rule["data"]]
    if rule["condition"] not in letters or len(set(letters)) != len(letters):
        raise Refused(400, f"the condition {rule['condition']} is no query of {letters}")
    for query in rule["data"]:
        if query["datasourceUid"] not in state.sources | {"__expr__"}:
            raise Refused(400, f"data source {query['datasourceUid']} not found")
        if query["model"].get("refId") != query["refId"] or not {"from", "to"} <= query["relativeTimeRange"].keys():
            raise Refused(400, "a query lacks its letter or its range of time")


def shown_contact(point: dict[str, Any]) -> dict[str, Any]:
    """A contact point as it is answered: its secrets are not told."""
    settings = {
        key: REDACTED if key in SECURE.get(point["type"], set()) else value for key, value in point["settings"].items()
    }
    return {**copy.deepcopy(point), "settings": settings}


def save_contact(state: State, uid: str | None, body: dict[str, Any], provenance: str) -> dict[str, Any]:
    if body.keys() - {"uid", "name", "type", "settings", "disableResolveMessage", "provenance"}:
        raise Refused(400, f"unknown fields {sorted(body.keys())}")
    if not body.get("name") or body.get("type") not in SECURE or not isinstance(body.get("settings"), dict):
        raise Refused(400, "a contact point needs a name, a known type, and settings")
    if missing := [key for key in NEEDED.get(body["type"], ()) if not body["settings"].get(key)]:
        raise Refused(400, f"invalid contact point: {missing} missing")
    if any("${" in str(value) for value in body["settings"].values()):
        raise Refused(400, "a placeholder was sent")
    if uid is None:
        uid = body.get("uid") or f"made-{next(state.numbers)}"
        if uid in state.contacts:
            raise Refused(409, "contact point exists")
    elif uid not in state.contacts:
        raise Refused(404, "contact point not found")
    before = state.contacts.get(uid, {}).get("settings", {})
    settings = {key: before.get(key) if value == REDACTED else value for key, value in body["settings"].items()}
    state.contacts[uid] = {**body, "uid": uid, "settings": settings, "provenance": provenance}
    return shown_contact(state.contacts[uid])


def put_policies(state: State, body: dict[str, Any], provenance: str) -> None:
    names = {point["name"] for point in state.contacts.values()} | {"grafana-default-email"}
    for route in _routes(body):
        if route.get("receiver") not in names | {None}:
            raise Refused(400, f"receiver {route.get('receiver')!r} does not exist")
        for timing in route.get("mute_time_intervals") or []:
            if timing not in state.mute_timings:
                raise Refused(400, f"mute time interval {timing!r} does not exist")
    state.policies = {**body, "provenance": provenance}


def _routes(route: dict[str, Any]) -> list[dict[str, Any]]:
    return [route, *(each for inner in route.get("routes") or [] for each in _routes(inner))]
