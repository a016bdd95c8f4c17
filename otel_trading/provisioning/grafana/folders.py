"""Folders in Grafana, by the titles on the way to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.grafana.client import path
from otel_trading.provisioning.grafana.errors import ChangedMeanwhileError, GrafanaError, UnknownThereError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.provisioning.grafana.client import Client

_PAGE = 1000


class Folders:
    """The folders of one Grafana.

    Args:
        client: makes the requests.

    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._titles: dict[str, str] = {"": ""}
        self._uids: dict[str, str] = {"": ""}

    def title(self, uid: str) -> str:
        """The titles that lead to a folder, separated by ``/``; empty at the root."""
        if uid == "general":
            return ""
        if uid not in self._titles:
            try:
                found = self._client.get(path("api", "folders", uid))
            except UnknownThereError:
                return uid
            parts = [*(str(each["title"]) for each in found.get("parents") or []), str(found["title"])]
            self._know("/".join(parts), uid)
        return self._titles[uid]

    def uid(self, title: str) -> str | None:
        """The uid of the folder to which these titles lead; None where there is none."""
        if title not in self._uids:
            above, _, own = title.rpartition("/")
            parent = self.uid(above)
            found = None if parent is None else self._child(parent, own)
            if found is None:
                return None
            self._know(title, found)
        return self._uids[title]

    def made(self, title: str) -> str:
        """The uid of the folder to which these titles lead; what is missing of it is created.

        Raises:
            GrafanaError: it cannot be created, or Grafana has no folders in folders.

        """
        existing = self.uid(title)
        if existing is not None:
            return existing
        above, _, own = title.rpartition("/")
        parent = self.made(above)
        body = {"uid": _slug(title), "title": own} | ({"parentUid": parent} if parent else {})
        try:
            found = self._client.ask("POST", "/api/folders", body).body
        except ChangedMeanwhileError:
            del body["uid"]  # another folder has it
            found = self._client.ask("POST", "/api/folders", body).body
        if parent and found.get("parentUid") != parent:
            self._client.ask("DELETE", path("api", "folders", str(found["uid"])))
            raise GrafanaError(f"the folder {title!r} is within another one, and this Grafana keeps none in folders")
        self._know(title, str(found["uid"]))
        return str(found["uid"])

    def _child(self, parent: str, title: str) -> str | None:
        page = 1
        while True:
            query: dict[str, Any] = {"limit": _PAGE, "page": page} | ({"parentUid": parent} if parent else {})
            answer = self._client.get("/api/folders", **query)
            for each in answer:
                if each.get("title") == title and self._parent(each, parent) == parent:
                    return str(each["uid"])
            if len(answer) < _PAGE:
                return None
            page += 1

    def _parent(self, listed: Mapping[str, Any], asked: str) -> str:
        """The uid of the folder that a listed one is in: a Grafana without nested folders lists all at every parent."""
        if asked and "parentUid" not in listed:
            listed = self._client.get(path("api", "folders", str(listed["uid"])))
        return str(listed.get("parentUid") or "")

    def _know(self, title: str, uid: str) -> None:
        self._titles[uid], self._uids[title] = title, uid


def _slug(title: str) -> str:
    """A uid of at most forty characters, the same for the same titles.

    >>> _slug("Trading/Risk & limits")
    'trading-risk-limits'
    """
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].rstrip("-") or "folder"
