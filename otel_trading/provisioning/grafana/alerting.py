"""Alert rules, contact points, policies, mute times and templates in Grafana."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from otel_trading.provisioning.canonical import ordered, plain
from otel_trading.provisioning.grafana import rules
from otel_trading.provisioning.grafana.client import path
from otel_trading.provisioning.grafana.errors import GrafanaError, ProvisioningError, UnknownThereError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.provisioning.grafana.client import Client
    from otel_trading.provisioning.grafana.folders import Folders
    from otel_trading.provisioning.grafana.tree import Tree

_API = "/api/v1/provisioning"
EDITABLE: Final = {"X-Disable-Provenance": "true"}
"""Without it, what is made over the API is read-only in the browser."""


@dataclass(frozen=True, slots=True)
class AlertRules:
    """The alert rules of one Grafana.

    Args:
        client: makes the requests.
        folders: where they are.

    """

    client: Client
    folders: Folders

    def read(self, known: Mapping[str, Any], within: set[str]) -> Tree:
        """The tree of those rules that are known by their uid, or are in one of these folders."""
        found: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for rule in self.client.get(f"{_API}/alert-rules") or []:
            folder = self.folders.title(str(rule.get("folderUID", "")))
            if rule.get("uid") in known or folder in within:
                found.setdefault((folder, str(rule["ruleGroup"])), []).append(rule)
        return rules.tree(
            {"name": name, "folder": folder, "interval": self._group(folder, name).get("interval", 60), "rules": each}
            for (folder, name), each in found.items()
        )

    def write(self, wanted: Tree, changed: set[tuple[str, str]]) -> None:
        """Save those groups, each a pair of folder and name; a group that is no longer wanted is emptied."""
        groups = {(group["folder"], group["name"]): group for group in rules.groups(wanted)}
        for folder, name in sorted(changed):
            group = groups.get((folder, name))
            uid = self.folders.made(folder) if group else self.folders.uid(folder)
            if uid is None:
                continue
            if group is None:
                for rule in self._group(folder, name).get("rules") or []:
                    self.client.ask("DELETE", f"{_API}/alert-rules" + path(str(rule["uid"])), headers=EDITABLE)
                continue
            body = {
                "title": name,
                "folderUid": uid,
                "interval": group["interval"],
                "rules": [self._rule(rule, uid, name) for rule in group["rules"]],
            }
            self._put_group(uid, name, body)

    def _rule(self, rule: Mapping[str, Any], folder: str, group: str) -> dict[str, Any]:
        required = {"noDataState": "NoData", "execErrState": "Error", "for": "0s"}
        place = {"folderUID": folder, "ruleGroup": group, "orgID": self.client.place.org or 1}
        return {**required, "annotations": {}, "labels": {}, "isPaused": False, **rule, **place}

    def _put_group(self, folder: str, name: str, body: Mapping[str, Any]) -> None:
        where = f"{_API}/folder" + path(folder, "rule-groups", name)
        try:
            self.client.ask("PUT", where, body, headers=EDITABLE)
        except GrafanaError as error:
            if "provenance" not in str(error):
                raise
            raise GrafanaError(
                f"the alert rules of {name!r} are provisioned there from files or by another tool, and only that can "
                f"change them: remove them there first ({error})",
                error.status,
            ) from error

    def _group(self, folder: str, name: str) -> dict[str, Any]:
        uid = self.folders.uid(folder)
        if uid is None:
            return {}
        try:
            found = self.client.get(f"{_API}/folder" + path(uid, "rule-groups", name))
        except UnknownThereError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Kind:
    """Something of alerting that is kept as a file and has no code.

    Args:
        name: of the file, and in the path.
        key: by which of its fields one is told from another; empty where there is only one.
        create: the method that makes a new one.

    """

    name: str
    key: str = "name"
    create: str = "POST"


TEMPLATES = Kind("templates", create="PUT")
MUTE_TIMINGS = Kind("mute-timings")
CONTACT_POINTS = Kind("contact-points", key="uid")
POLICIES = Kind("policies", key="", create="PUT")
KINDS = (TEMPLATES, MUTE_TIMINGS, CONTACT_POINTS, POLICIES)
"""In the order in which one needs the other."""
_ACCOUNTS = frozenset({"provenance", "version"})
_ALL = "tree"


@dataclass(frozen=True, slots=True)
class Alerting:
    """Contact points and the like of one Grafana."""

    client: Client

    def read(self, kind: Kind) -> Tree:
        """All of a kind, by their key."""
        try:
            found = self.client.get(f"{_API}/{kind.name}")
        except UnknownThereError:
            return {}
        if not kind.key:
            return {_ALL: _clean(found or {})}
        return {self._key(kind, each): _clean(each) for each in found or []}

    def write(self, kind: Kind, key: str, document: Mapping[str, Any], *, exists: bool) -> None:
        """Save one."""
        where = f"{_API}/{kind.name}"
        if not kind.key:
            self.client.ask("PUT", where, document, headers=EDITABLE)
        elif kind is CONTACT_POINTS and not document.get("uid"):
            raise ProvisioningError(f"the contact point {key!r} has no uid; give it one in Grafana's place")
        elif exists or kind.create == "PUT":
            self.client.ask("PUT", where + path(key), document, headers=EDITABLE)
        else:
            self.client.ask(kind.create, where, document, headers=EDITABLE)

    def delete(self, kind: Kind, key: str) -> None:
        """Delete one; of the tree of policies, everything but Grafana's own."""
        self.client.ask("DELETE", f"{_API}/{kind.name}" + (path(key) if kind.key else ""), headers=EDITABLE)

    @staticmethod
    def _key(kind: Kind, document: Mapping[str, Any]) -> str:
        return str(document.get(kind.key) or document.get("name") or "")


def _clean(document: Mapping[str, Any]) -> Tree:
    return ordered({key: value for key, value in plain(dict(document)).items() if key not in _ACCOUNTS})  # type: ignore[no-any-return]
