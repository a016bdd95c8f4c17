from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.provisioning.standin import alerting, browser, dashboards
from tests.provisioning.standin.state import Refused, State

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

TOKEN = "glsa_5PJkLmNqRsTuVwXyZ1a2b3c4d5e6f7g8_01234567"
_PROVISIONING = "/api/v1/provisioning"


class Standin:
    """A Grafana of some version, on a free port.

    Args:
        version: which one it is.
        hidden: it does not tell its version.
        context: with it, the connections are encrypted.

    """

    def __init__(self, version: str = "12.1.0", *, hidden: bool = False, context: ssl.SSLContext | None = None) -> None:
        self.state = State(version)
        self.hidden = hidden
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.undocumented: list[str] = []
        self.faults: list[tuple[int, str, str]] = []
        self.role = "Editor"
        self.before_save: Callable[[], None] | None = None
        standin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                content = self.rfile.read(length)
                status, body, kind = standin.answer(self.command, self.path, content, dict(self.headers))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                if status in {429, 503}:
                    self.send_header("Retry-After", "0")
                if status == 302:
                    self.send_header("Location", "/login")
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - http.server's

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class'
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._scheme = "http" if context is None else "https"
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def saves(self, uid: str, edit: Callable[[dict[str, Any]], object]) -> None:
        """Somebody edits a dashboard in the browser."""
        browser.saved(self.state.boards[uid], edit, self.state.major, self.state.version)

    def edits_rule(self, uid: str, **changes: Any) -> None:
        """Somebody edits an alert rule in the browser, which is possible only without provenance."""
        rule = self.state.rules[uid]
        if rule["provenance"]:
            raise PermissionError("this rule is provisioned and cannot be edited in the browser")
        rule |= changes

    @property
    def written(self) -> list[str]:
        """The requests that changed something."""
        return [request for request in self.requests if not request.startswith("GET")]

    def answer(self, method: str, target: str, content: bytes, headers: dict[str, str]) -> tuple[int, bytes, str]:
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.requests.append(f"{method} {parts.path}")
        self.headers.append(headers)
        if self.faults:
            status, text, kind = self.faults.pop(0)
            return status, text.encode(), kind
        try:
            if headers.get("Authorization") != f"Bearer {TOKEN}":
                raise Refused(401, "Invalid API key")
            if method != "GET" and self.role == "Viewer":
                raise Refused(403, "You'll need additional permissions to perform this action", title="Access denied")
            body = json.loads(content) if content else None
            if content and headers.get("Content-Type") != "application/json":
                raise Refused(415, "the content is not said to be JSON")
            status, answered = self._routed(method, parts.path, query, body, headers)
        except Refused as refused:
            status, answered = refused.code, refused.body
        return status, b"" if status == 204 else json.dumps(answered).encode(), "application/json"

    def _routed(
        self, method: str, path: str, query: dict[str, str], body: Any, headers: dict[str, str]
    ) -> tuple[int, Any]:
        provenance = "" if headers.get("X-Disable-Provenance") else "api"
        for pattern, handle in _ROUTES:
            found = re.fullmatch(pattern, f"{method} {path}")
            if found:
                if method in {"POST", "PUT"} and "dashboards" in path and self.before_save:
                    hook, self.before_save = self.before_save, None
                    hook()
                return handle(self, [unquote(each) for each in found.groups()], query, body, provenance)
        self.undocumented.append(f"{method} {path}")
        raise Refused(404, "Not found")


def _settings(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    version = "" if it.hidden else it.state.version
    settings: dict[str, Any] = {"buildInfo": {"version": version, "edition": "Open Source", "env": "production"}}
    return 200, settings | ({"namespace": "default"} if it.state.major >= 11 else {})


def _health(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    return 200, {"database": "ok"} | ({} if it.hidden else {"commit": "abc", "version": it.state.version})


def _groups(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    served = dashboards.SERVED.get(it.state.major)
    if served is None:
        raise Refused(404, "Not found")
    versions = [{"groupVersion": f"{dashboards.GROUP}/{each}", "version": each} for each in served]
    groups = [{"name": "folder.grafana.app", "versions": []}, {"name": dashboards.GROUP, "versions": versions}]
    return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def _legacy(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    if it.state.boards.get(names[0]) and it.state.boards[names[0]].stored.startswith("v2"):
        it.undocumented.append(f"a dashboard of the newer schema was read with loss: {names[0]}")
    return 200, dashboards.legacy_get(it.state, names[0])


def _legacy_save(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    if unknown := body.keys() - {"dashboard", "folderUid", "message", "overwrite"}:
        it.undocumented.append(f"fields of a save: {sorted(unknown)}")
    return 200, dashboards.legacy_save(it.state, body)


def _delete(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    if it.state.boards.pop(names[-1], None) is None:
        raise Refused(404, "Dashboard not found")
    return 200, {"title": "x", "message": "Dashboard x deleted"}


def _newer(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    _served(it, names[0])
    return 200, dashboards.newer_get(it.state, names[0], names[1])


def _newer_put(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    _served(it, names[0])
    return 200, dashboards.newer_save(it.state, names[0], names[1], body)


def _newer_post(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    _served(it, names[0])
    return 201, dashboards.newer_save(it.state, names[0], None, body)


def _served(it: Standin, version: str) -> None:
    if version not in dashboards.SERVED.get(it.state.major, ()):
        raise Refused(404, "the server could not find the requested resource")


def _search(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    if query.keys() - {"type", "folderUIDs", "limit", "page", "query", "tag"}:
        it.undocumented.append(f"search for {sorted(query)}")
    found = [
        {"uid": each.uid, "title": each.classic.get("title", ""), "type": "dash-db", "folderUid": each.folder}
        for each in it.state.boards.values()
        if "folderUIDs" not in query or each.folder == query["folderUIDs"]
    ]
    start = (int(query.get("page", 1)) - 1) * int(query.get("limit", 1000))
    return 200, found[start : start + int(query.get("limit", 1000))]


def _folders(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    nested = it.state.major >= 11
    parent = query.get("parentUid", "") if nested else ""
    found = [each for each in it.state.folders.values() if not nested or each.get("parentUid", "") == parent]
    return 200, found if int(query.get("page", 1)) == 1 else []


def _folder(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    if names[0] not in it.state.folders:
        raise Refused(404, "folder not found", status="not-found")
    found = dict(it.state.folders[names[0]])
    parents: list[dict[str, Any]] = []
    above = found.get("parentUid")
    while above:
        parents.insert(0, it.state.folders[above])
        above = it.state.folders[above].get("parentUid")
    return 200, {**found, "version": 1, "canSave": True} | ({"parents": parents} if parents else {})


def _folder_post(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    if body.keys() - {"uid", "title", "parentUid"} or not body.get("title"):
        raise Refused(400, "folder title cannot be empty")
    uid = body.get("uid") or f"made-{next(it.state.numbers)}"
    if uid in it.state.folders or not dashboards.UID.fullmatch(uid):
        raise Refused(412, "a folder with the same uid already exists", status="name-exists")
    folder = {"id": next(it.state.numbers), "uid": uid, "title": body["title"]}
    if it.state.major >= 11 and body.get("parentUid"):
        if body["parentUid"] not in it.state.folders:
            raise Refused(404, "parent folder not found")
        folder["parentUid"] = body["parentUid"]
    it.state.folders[uid] = folder
    return 200, folder


def _folder_delete(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    return 200, {"message": "Folder deleted", "id": it.state.folders.pop(names[0])["id"]}


def _rules(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    return 200, [alerting.shown_rule(each) for each in it.state.rules.values()]


def _rule_delete(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    it.state.rules.pop(names[0], None)
    return 204, None


def _group(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    return 200, alerting.group(it.state, *names)


def _group_put(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    return 200, alerting.put_group(it.state, names[0], names[1], body, provenance)


def _contacts(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    return 200, [alerting.shown_contact(each) for each in it.state.contacts.values()]


def _contact_save(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    return 202, alerting.save_contact(it.state, names[0] if names else None, body, provenance)


def _contact_delete(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    it.state.contacts.pop(names[0], None)
    return 204, None


def _policies(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    return 200, it.state.policies


def _policies_put(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    alerting.put_policies(it.state, body, provenance)
    return 202, {"message": "policies updated"}


def _timings(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    return 200, list(it.state.mute_timings.values())


def _timing_post(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    if body["name"] in it.state.mute_timings or (names and names[0] != body["name"]):
        raise Refused(400, "a mute timing of that name exists")
    it.state.mute_timings[body["name"]] = {**body, "provenance": provenance}
    return 201, body


def _timing_put(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    if names[0] not in it.state.mute_timings:
        raise Refused(404, "mute timing not found")
    it.state.mute_timings[names[0]] = {**body, "provenance": provenance}
    return 202, body


def _templates(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    if not it.state.templates and it.state.major < 11:
        raise Refused(404, "not found")
    return 200, list(it.state.templates.values())


def _template_put(it: Standin, names: list[str], query: Any, body: Any, provenance: str) -> tuple[int, Any]:
    if not body.get("template") or body.keys() - {"template", "name", "version"}:
        raise Refused(400, "invalid template")
    version = str(next(it.state.numbers))
    it.state.templates[names[0]] = {"name": names[0], "template": body["template"], "version": version}
    return 202, it.state.templates[names[0]]


_P = "([^/]+)"
_APPS = rf"/apis/{re.escape(dashboards.GROUP)}/{_P}/namespaces/default/dashboards"
_ROUTES: tuple[tuple[str, Callable[[Standin, list[str], Any, Any, str], tuple[int, Any]]], ...] = (
    ("GET /api/frontend/settings", _settings),
    ("GET /api/health", _health),
    ("GET /apis", _groups),
    (f"GET /api/dashboards/uid/{_P}", _legacy),
    (f"DELETE /api/dashboards/uid/{_P}", _delete),
    ("POST /api/dashboards/db", _legacy_save),
    (f"GET {_APPS}/{_P}", _newer),
    (f"PUT {_APPS}/{_P}", _newer_put),
    (f"DELETE {_APPS}/{_P}", _delete),
    (f"POST {_APPS}", _newer_post),
    ("GET /api/search", _search),
    ("GET /api/folders", _folders),
    ("POST /api/folders", _folder_post),
    (f"GET /api/folders/{_P}", _folder),
    (f"DELETE /api/folders/{_P}", _folder_delete),
    (f"GET {_PROVISIONING}/alert-rules", _rules),
    (f"DELETE {_PROVISIONING}/alert-rules/{_P}", _rule_delete),
    (f"GET {_PROVISIONING}/folder/{_P}/rule-groups/{_P}", _group),
    (f"PUT {_PROVISIONING}/folder/{_P}/rule-groups/{_P}", _group_put),
    (f"GET {_PROVISIONING}/contact-points", _contacts),
    (f"POST {_PROVISIONING}/contact-points", _contact_save),
    (f"PUT {_PROVISIONING}/contact-points/{_P}", _contact_save),
    (f"DELETE {_PROVISIONING}/contact-points/{_P}", _contact_delete),
    (f"GET {_PROVISIONING}/policies", _policies),
    (f"PUT {_PROVISIONING}/policies", _policies_put),
    (f"GET {_PROVISIONING}/mute-timings", _timings),
    (f"POST {_PROVISIONING}/mute-timings", _timing_post),
    (f"PUT {_PROVISIONING}/mute-timings/{_P}", _timing_put),
    (f"GET {_PROVISIONING}/templates", _templates),
    (f"PUT {_PROVISIONING}/templates/{_P}", _template_put),
)
