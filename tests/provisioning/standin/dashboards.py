from __future__ import annotations

import copy
import re
from typing import Any

from tests.provisioning.standin.state import Board, Refused, State

GROUP = "dashboard.grafana.app"
SERVED = {12: ("v1beta1", "v0alpha1", "v2alpha1"), 13: ("v2", "v2beta1", "v1", "v1beta1", "v0alpha1")}
LATEST_SCHEMA = 42
UID = re.compile(r"[a-zA-Z0-9_-]{1,40}")


def checked(state: State, board: Any) -> None:
    """What Grafana refuses of a classic dashboard."""
    if not isinstance(board, dict) or not board.get("title"):
        raise Refused(400, "Dashboard title cannot be empty", status="empty-name")
    ids = [panel.get("id") for panel in board.get("panels") or []]
    if len(set(ids)) != len(ids) or not all(isinstance(each, int) and 0 < each < 2**31 for each in ids):
        raise Refused(400, f"panel ids are not unique positive numbers: {ids}")
    if not isinstance(board.get("schemaVersion"), int):
        raise Refused(400, "a dashboard without schemaVersion would be migrated from the first one")


def legacy_get(state: State, uid: str) -> dict[str, Any]:
    board = _found(state, uid)
    folder = state.folders.get(board.folder)
    return {
        "dashboard": {**copy.deepcopy(board.classic), "id": board.number, "uid": uid, "version": board.version},
        "meta": {
            "type": "db",
            "canSave": True,
            "canEdit": True,
            "slug": "board",
            "url": f"/d/{uid}/board",
            "version": board.version,
            "created": "2026-11-01T10:00:00Z",
            "updated": "2026-11-01T10:00:00Z",
            "createdBy": "admin",
            "folderId": 0 if folder is None else folder["id"],
            "folderUid": board.folder,
            "folderTitle": "General" if folder is None else folder["title"],
            "provisioned": board.provisioned,
            "provisionedExternalId": "",
        },
    }


def legacy_save(state: State, body: dict[str, Any]) -> dict[str, Any]:
    given, folder = body.get("dashboard"), body.get("folderUid", "")
    checked(state, given)
    assert isinstance(given, dict)
    uid = given.get("uid") or f"made-{next(state.numbers)}"
    if not UID.fullmatch(uid):
        raise Refused(400, "uid contains illegal characters or is too long")
    if folder and folder not in state.folders:
        raise Refused(400, "folder not found", status="not-found")
    there = state.boards.get(uid)
    if there is None:
        if given.get("id"):
            raise Refused(404, "Dashboard not found", status="not-found")
        there = state.boards[uid] = Board(uid, next(state.numbers), {}, version=0, stored="v0alpha1")
    elif not body.get("overwrite"):
        if given.get("id") != there.number:
            raise Refused(412, "A dashboard with the same uid already exists", status="name-exists")
        if given.get("version") != there.version:
            raise Refused(412, "The dashboard has been changed by someone else", status="version-mismatch")
    if there.provisioned:
        raise Refused(400, "Cannot save provisioned dashboard")
    _save(state, there, given, folder, body.get("message", ""))
    return {"id": there.number, "uid": uid, "url": f"/d/{uid}/x", "status": "success", "version": there.version}


def newer_get(state: State, version: str, uid: str) -> dict[str, Any]:
    board = _found(state, uid)
    annotations = {"grafana.app/createdBy": "service-account:1"}
    if board.folder:
        annotations["grafana.app/folder"] = board.folder
    answer: dict[str, Any] = {
        "kind": "Dashboard",
        "apiVersion": f"{GROUP}/{version}",
        "metadata": {
            "name": uid,
            "namespace": "default",
            "uid": "Cc7fA5ffHY94NnHZyMxXvFlpFtOmkK3qkBcVZPKSPXcX",
            "resourceVersion": str(1758777451428472 + board.version),
            "generation": board.version,
            "creationTimestamp": "2026-01-23T22:06:40Z",
            "labels": {"grafana.app/deprecatedInternalID": str(board.number)},
            "annotations": annotations,
        },
        "status": {},
    }
    if version != board.stored:
        answer["status"] = {"conversion": {"failed": False, "storedVersion": board.stored, "error": ""}}
    if version.startswith("v2"):
        assert board.native is not None, "tests ask for v2 only where it is stored"
        answer["spec"] = copy.deepcopy(board.native)
    else:
        answer["spec"] = {**copy.deepcopy(board.classic), "schemaVersion": LATEST_SCHEMA}
        for key in ("id", "uid", "version"):
            answer["spec"].pop(key, None)
    return answer


def newer_save(state: State, version: str, uid: str | None, body: dict[str, Any]) -> dict[str, Any]:
    metadata, spec = body.get("metadata") or {}, body.get("spec")
    name = metadata.get("name", "")
    if not UID.fullmatch(name) or (uid is not None and uid != name):
        raise Refused(400, "metadata.name is no uid, or another one than that of the path")
    if not isinstance(spec, dict):
        raise Refused(400, "spec is missing")
    if not version.startswith("v2"):
        checked(state, spec)
    folder = (metadata.get("annotations") or {}).get("grafana.app/folder", "")
    if folder and folder not in state.folders:
        raise Refused(400, "folder not found")
    there = state.boards.get(name)
    if uid is None:
        if there is not None:
            raise _conflict("already exists")
        there = state.boards[name] = Board(name, next(state.numbers), {}, version=0)
    elif there is None:
        raise Refused(404, "dashboards.dashboard.grafana.app not found", kind="Status", code=404)
    elif metadata.get("resourceVersion") != str(1758777451428472 + there.version):
        raise _conflict("the object has been modified; please apply your changes to the latest version and try again")
    message = (metadata.get("annotations") or {}).get("grafana.app/message", "")
    if version.startswith("v2"):
        there.native, there.version, there.stored, there.folder = spec, there.version + 1, version, folder
    else:
        _save(state, there, spec, folder, message)
        there.stored = version
    return newer_get(state, version, name)


def _save(state: State, there: Board, given: dict[str, Any], folder: str, message: str) -> None:
    there.classic = {key: value for key, value in copy.deepcopy(given).items() if key not in {"id", "version"}}
    if state.migrates is not None:
        state.migrates(there.classic)
    there.version += 1
    there.folder = folder
    there.native = None
    there.messages.append(message)


def _found(state: State, uid: str) -> Board:
    if uid not in state.boards:
        raise Refused(404, "Dashboard not found", status="not-found")
    return state.boards[uid]


def _conflict(message: str) -> Refused:
    return Refused(409, message, kind="Status", apiVersion="v1", status="Failure", reason="Conflict", code=409)
