"""Dashboards in Grafana, by the API that this Grafana has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.canonical import is_v2
from otel_trading.provisioning.grafana import v2
from otel_trading.provisioning.grafana.client import path
from otel_trading.provisioning.grafana.errors import (
    ChangedMeanwhileError,
    GrafanaError,
    NewerSchemaError,
    UnknownThereError,
)
from otel_trading.provisioning.grafana.instance import GROUP

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.provisioning.grafana.client import Client
    from otel_trading.provisioning.grafana.instance import Instance

_FOLDER, _MESSAGE, _MANAGED = "grafana.app/folder", "grafana.app/message", "grafana.app/managedBy"
_NOT_IN_SPEC = frozenset({"id", "uid", "version"})


@dataclass(frozen=True, slots=True)
class Stored:
    """A dashboard as Grafana has it.

    Args:
        board: in classic form.
        folder: the uid of its folder; empty at the root.
        revision: what a later save has to name: the version, or the resource version.
        number: its number in the database, where that is told.
        remark: what somebody should know of it.

    """

    board: dict[str, Any]
    folder: str
    revision: str
    number: int | None = None
    remark: str = ""


class NewerStoredError(NewerSchemaError):
    """A dashboard that is stored in the newer schema and has no classic form without loss.

    Args:
        message: what it uses.
        resource: the dashboard as it is stored.

    """

    def __init__(self, message: str, resource: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.resource = resource


@dataclass(frozen=True, slots=True)
class Dashboards:
    """The dashboards of one Grafana.

    Args:
        client: makes the requests.
        there: what that Grafana has.
        legacy: use ``/api/dashboards`` for classic dashboards even where there is the newer API.

    """

    client: Client
    there: Instance
    legacy: bool = False

    def read(self, uid: str) -> Stored | None:
        """A dashboard; None where Grafana has none with this uid.

        Raises:
            NewerStoredError: its classic form would lose something.

        """
        try:
            if self.there.classic is None:
                return self._read_legacy(uid)
            return self._read_newer(uid, self.there.classic)
        except UnknownThereError:
            return None

    def write(self, board: Mapping[str, Any], folder: str, message: str, over: Stored | None) -> None:
        """Save a dashboard.

        Args:
            board: in classic form.
            folder: the uid of its folder; empty for the root.
            message: for the history of versions.
            over: what was read before, and is replaced; None to create it.

        Raises:
            ChangedMeanwhileError: somebody saved it since it was read.
            GrafanaError: Grafana does not take it.

        """
        try:
            if self.there.classic is None or self.legacy:
                self._write_legacy(board, folder, message, over)
            else:
                self._write_newer(board, folder, message, over, self.there.classic)
        except ChangedMeanwhileError as error:
            raise ChangedMeanwhileError(
                f"{board['uid']} was saved in Grafana while it was being pushed; pull, then push again ({error})",
                error.status,
            ) from error

    def read_v2(self, resource: Mapping[str, Any]) -> dict[str, Any] | None:
        """The same dashboard of the newer schema as Grafana has it; None where it has none.

        Raises:
            NewerSchemaError: this Grafana does not know the version it is of.

        """
        version, name = _named(resource)
        if version not in self.there.served:
            raise NewerSchemaError(
                f"{name} is of schema {version}, and Grafana {self.there.version} serves "
                f"{', '.join(self.there.served) or 'only the classic one'}; it is not converted"
            )
        try:
            found: dict[str, Any] = self.client.get(self._newer(version, name))
        except UnknownThereError:
            return None
        return found

    def write_v2(self, resource: Mapping[str, Any], over: Mapping[str, Any] | None) -> None:
        """Save a dashboard of the newer schema as it is, over the one that was read."""
        version, name = _named(resource)
        if over is None:
            self.client.ask("POST", self._newer(version), dict(resource))
            return
        metadata = {**resource["metadata"], "resourceVersion": over["metadata"]["resourceVersion"]}
        self.client.ask("PUT", self._newer(version, name), {**resource, "metadata": metadata})

    def delete(self, uid: str) -> None:
        """Delete a dashboard."""
        if self.there.classic is None or self.legacy:
            self.client.ask("DELETE", path("api", "dashboards", "uid", uid))
        else:
            self.client.ask("DELETE", self._newer(self.there.classic, uid))

    def within(self, folder: str) -> dict[str, str]:
        """The titles of the dashboards of a folder, by uid."""
        found: dict[str, str] = {}
        page = 1
        while True:
            answer = self.client.get("/api/search", type="dash-db", folderUIDs=folder, limit=1000, page=page)
            here = (each for each in answer if each.get("uid") and each.get("folderUid") == folder)
            found |= {str(each["uid"]): str(each.get("title", "")) for each in here}
            if len(answer) < 1000:  # noqa: PLR2004 - what was asked for
                return found
            page += 1

    def _read_legacy(self, uid: str) -> Stored:
        answer = self.client.get(path("api", "dashboards", "uid", uid))
        board, meta = answer["dashboard"], answer.get("meta") or {}
        if is_v2(board) or str(meta.get("apiVersion", "")).startswith("v2"):
            raise NewerStoredError(_refusal(uid, ["the newer schema"]), board)
        remark = "provisioned from a file there" if meta.get("provisioned") else ""
        return Stored(board, meta.get("folderUid") or "", str(board.get("version", "")), board.get("id"), remark)

    def _read_newer(self, uid: str, version: str) -> Stored:
        found = self.client.get(self._newer(version, uid))
        conversion = (found.get("status") or {}).get("conversion") or {}
        stored = str(conversion.get("storedVersion") or "")
        remark = ""
        if stored.startswith("v2"):
            self._refuse_loss(uid, stored, found, failed=bool(conversion.get("failed")))
            remark = f"stored there in schema {stored}, of which it uses nothing that is not classic"
        elif conversion.get("failed"):
            raise GrafanaError(f"Grafana cannot read {uid}, which is stored as {stored}: {conversion.get('error', '')}")
        metadata = found["metadata"]
        annotations = metadata.get("annotations") or {}
        if annotations.get(_MANAGED):
            remark = f"managed there by {annotations[_MANAGED]}"
        board = {**found["spec"], "uid": metadata["name"]}
        return Stored(board, annotations.get(_FOLDER, ""), str(metadata.get("resourceVersion", "")), None, remark)

    def _refuse_loss(self, uid: str, stored: str, found: Mapping[str, Any], *, failed: bool) -> None:
        native = self.client.get(self._newer(stored, uid))
        uses = v2.only_in_v2(native["spec"])
        if not uses and failed:
            uses = ["something that Grafana itself cannot convert"]
        if not uses:
            uses = v2.lost(native["spec"], found.get("spec") or {})
        if uses:
            raise NewerStoredError(_refusal(uid, uses), native)

    def _write_legacy(self, board: Mapping[str, Any], folder: str, message: str, over: Stored | None) -> None:
        sent = {key: value for key, value in board.items() if key not in {"id", "version"}}
        if over is None:
            sent["id"] = None
        elif over.number is not None:
            sent |= {"id": over.number, "version": int(over.revision or 0)}
        body = {"dashboard": sent, "folderUid": folder, "message": message, "overwrite": False}
        self.client.ask("POST", "/api/dashboards/db", body)

    def _write_newer(
        self, board: Mapping[str, Any], folder: str, message: str, over: Stored | None, version: str
    ) -> None:
        uid = str(board["uid"])
        annotations = {_MESSAGE: message} | ({_FOLDER: folder} if folder else {})
        metadata: dict[str, Any] = {"name": uid, "annotations": annotations}
        body = {
            "apiVersion": f"{GROUP}/{version}",
            "kind": "Dashboard",
            "metadata": metadata,
            "spec": {key: value for key, value in board.items() if key not in _NOT_IN_SPEC},
        }
        if over is None:
            self.client.ask("POST", self._newer(version), body)
        else:
            metadata["resourceVersion"] = over.revision
            self.client.ask("PUT", self._newer(version, uid), body)

    def _newer(self, version: str, *name: str) -> str:
        return path("apis", GROUP, version, "namespaces", self.there.namespace, "dashboards", *name)


def _named(resource: Mapping[str, Any]) -> tuple[str, str]:
    return str(resource["apiVersion"]).rpartition("/")[2], str(resource["metadata"]["name"])


def _refusal(uid: str, uses: list[str]) -> str:
    return (
        f"{uid} is stored in Grafana's newer schema and uses {', '.join(uses)}, which a classic dashboard cannot "
        "express: it is not converted. Keep it as it is with pull --as-stored, or undo that in Grafana"
    )
