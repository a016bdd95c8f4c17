"""The description of the server in OpenAPI 3.1, made from the table of routes."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from otel_trading.ops.access import Access
from otel_trading.ops.api.schemas import PROBLEM
from otel_trading.ops.api.table import ROUTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_trading.ops.api.route import Route

_WHO = {
    Access.OPEN: "Everybody may.",
    Access.PROBE: "On loopback everybody may; elsewhere whoever has the token, or everybody with `ops_open_probes`.",
    Access.READ: "On loopback everybody may; elsewhere whoever has the token.",
    Access.TOKEN: "Whoever has the token may.",
}
_USUAL = {
    400: "The request is malformed.",
    401: "A bearer token is required.",
    403: "The request is refused: it is another site's, or there is no token at all.",
    421: "The host is not known.",
    429: "Too many requests, or too many wrong tokens; see Retry-After.",
    500: "A defect of the server.",
    503: "Too much is being worked at; see Retry-After.",
    504: "It took too long.",
}
_OF_BODIES = {
    413: "The body is larger than 64 KiB.",
    415: "The body is not JSON.",
    422: "The body does not say what it should.",
}


@cache
def described(routes: tuple[Route, ...] = ROUTES) -> tuple[bytes, str]:
    """The description as JSON, and its entity tag."""
    body = json.dumps(document(routes), indent=1).encode()
    return body, f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def document(routes: Iterable[Route] = ROUTES) -> dict[str, Any]:
    """The description.

    >>> sorted(document()["paths"]["/log-level"])
    ['get', 'put']
    """
    from otel_trading import __version__

    paths: dict[str, dict[str, Any]] = {}
    schemas: dict[str, Any] = {"Problem": PROBLEM}
    for route in routes:
        if route.body is not None:
            schemas[route.body.__name__] = _of_body(route)
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "otel-trading ops server",
            "version": __version__,
            "description": "What telemetry knows of a trading bot, and what can be changed while it runs.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "otel_trading_8080",
                    "description": "What /login sets; the number is the port, and `__Host-` stands before it with TLS.",
                },
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    statuses = {**_USUAL, **(_OF_BODIES if route.body is not None else {}), **route.others}
    operation: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{'_'.join(filter(None, _words(route.path)))}",
        "summary": route.summary,
        "description": f"{(route.handler.__doc__ or '').strip()} {_WHO[route.access]}",
        "responses": {
            "200": _answer(route),
            **{str(status): _other(route, status, text) for status, text in sorted(statuses.items())},
        },
    }
    if route.parameters:
        operation["parameters"] = [dict(each) for each in route.parameters]
    if route.body is not None:
        operation["requestBody"] = {
            "required": not route.body_may_lack,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{route.body.__name__}"}}},
        }
    if route.access is Access.TOKEN:
        operation["security"] = [{"token": []}, {"session": []}]
    elif route.access is not Access.OPEN:
        operation["security"] = [{}, {"token": []}, {"session": []}]
    return operation


def _answer(route: Route) -> dict[str, Any]:
    if isinstance(route.answer, tuple):
        return {"description": "OK", "content": {kind: {} for kind in route.answer}}
    return {"description": "OK", "content": {"application/json": {"schema": route.answer}}}


def _other(route: Route, status: int, text: str) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": text or HTTPStatus(status).phrase}
    if status == HTTPStatus.NOT_MODIFIED:
        return answer
    content: dict[str, Any] = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    answer["content"] = content
    if status == HTTPStatus.SERVICE_UNAVAILABLE and status in route.others:
        content["application/json"] = {"schema": route.answer}
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        answer["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return answer


def _of_body(route: Route) -> dict[str, Any]:
    assert route.body is not None  # noqa: S101 - who calls it has looked
    return route.body.model_json_schema(by_alias=True)


def _words(path: str) -> list[str]:
    return path.replace("{", "").replace("}", "").replace("-", "_").replace(".", "_").split("/")


def markdown() -> str:
    """The reference of all routes in Markdown; ``docs/ops-api.md`` is this text.

    >>> "| `/emergency/stop` |" in markdown()
    True
    """
    lines = [
        "# Routes of the ops server",
        "",
        "What [the ops server](ops-server.md) answers. `GET /openapi.json` has the same as OpenAPI 3.1, with the form",
        "of every answer. Errors are problems as of RFC 9457 (`application/problem+json`), whose `detail` says what to",
        "do. `HEAD` works where `GET` does; `OPTIONS` says what a path takes.",
        "",
        "| method | path | what it does | who may |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {route.method} | `{route.path}` | {_plain(route)} | {_WHO_SHORTLY[route.access]} |" for route in ROUTES
    ]
    lines += ["", "## Bodies", "", "JSON of at most 64 KiB; a field that is not known is refused.", ""]
    lines += ["| request | field | allowed | default |", "|---|---|---|---|"]
    lines += [row for route in ROUTES if route.body is not None for row in _fields(route)]
    return "\n".join(lines) + "\n"


_WHO_SHORTLY = {
    Access.OPEN: "everybody",
    Access.PROBE: "on loopback everybody, elsewhere the token or `ops_open_probes`",
    Access.READ: "on loopback everybody, elsewhere the token",
    Access.TOKEN: "the token",
}
_BOUNDS = {
    "minimum": "from {}",
    "exclusiveMinimum": "above {}",
    "maximum": "up to {}",
    "exclusiveMaximum": "below {}",
    "maxLength": "at most {} characters",
}


def _plain(route: Route) -> str:
    return " ".join((route.handler.__doc__ or "").split()).replace("``", "`")


def _fields(route: Route) -> list[str]:
    schema = _of_body(route)
    needed = schema.get("required", ())
    return [
        f"| {route.method} `{route.path}` | `{name}` | {_allowed(each)} | {_default(each, needed=name in needed)} |"
        for name, each in schema["properties"].items()
    ]


def _allowed(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_allowed(each) for each in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    bounds = [text.format(schema[name]) for name, text in _BOUNDS.items() if name in schema]
    kind = {"string": "text", "null": "`null`"}.get(schema["type"], schema["type"])
    return f"{kind} {' '.join(bounds)}".strip()


def _default(schema: dict[str, Any], *, needed: bool) -> str:
    return "required" if needed else "" if schema.get("default") is None else f"`{json.dumps(schema['default'])}`"
