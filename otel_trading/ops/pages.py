"""The pages of the ops server: the table of routes, whatever providers add, and what holds for all of them."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from aiohttp import web
from pydantic import ValidationError

from otel_trading.ops.access import CALLER, Access, Caller, wanted_by
from otel_trading.ops.api.route import Asked, Tools
from otel_trading.ops.api.table import ROUTES
from otel_trading.ops.openapi import described
from otel_trading.ops.plain import written
from otel_trading.ops.problems import RefusedError, problem
from otel_trading.ops.record import Record
from otel_trading.ops.visitors import Phase
from otel_trading.ops.work import BusyError, Work
from otel_trading.settings.complaints import Complaints

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from aiohttp.typedefs import Handler, Middleware

    from otel_trading.ops.access import Keys
    from otel_trading.ops.api.route import Route
    from otel_trading.ops.gate import Gate
    from otel_trading.ops.source import Source
    from otel_trading.ops.terms import Terms
    from otel_trading.ops.visitors import Visitor, Visitors

BODY = 65_536
"""Bytes that a request's body may have."""

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Of every answer, where its handler says nothing else."""

_LONGEST_LINE, _LONGEST_FIELD = 4_096, 8_190
_TAKES_AT_MOST = 20.0
_UPLOAD = 10.0
_LINGER = 1.0
_SERVES = "otel-trading"

_silent = logging.getLogger("otel_trading.ops.http")  # what clients do wrong is answered and counted, not told
_silent.propagate = False
_silent.setLevel(logging.CRITICAL + 1)


class Provider(Protocol):
    """Adds pages: to handlers applies what ``access`` says of them, see ``otel_trading.ops.access``.

    A WebSocket, or a handler whose attribute ``streams`` is true, may take as long as it likes.
    """

    def add_routes(self, application: web.Application) -> None:
        """Add them; called whenever the server starts."""
        ...


class Pages:
    """What an application of aiohttp's serves."""

    def __init__(
        self,
        source: Source,
        terms: Terms,
        keys: Keys,
        gate: Gate,
        visitors: Callable[[], Visitors],
        providers: Sequence[Provider] = (),
    ) -> None:
        self._tools = Tools(source, terms, keys, Work(), Work(at_once=2), described)
        self._gate = gate
        self._visitors = visitors
        self._providers = providers
        self._record = Record(source)
        self._complaints = Complaints("answers of the ops server")
        self._rows: dict[Handler, Route] = {}

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Callable[[], asyncio.Protocol]]:
        """What makes a protocol for each connection, within the block."""
        application = web.Application(middlewares=[self._checked()], client_max_size=BODY)
        for route in ROUTES:
            handler = self._handler(route)
            self._rows[handler] = route
            application.router.add_route(route.method, route.path, handler)
            if route.method == "GET":
                application.router.add_route("HEAD", route.path, handler)
        for provider in self._providers:
            try:
                provider.add_routes(application)
            except Exception as error:  # costs its pages
                self._complaints.say(f"{type(provider).__name__} has no pages: {type(error).__name__}: {error}")
        application.on_response_prepare.append(_with_headers)
        runner = web.AppRunner(
            application,
            access_log=None,
            logger=_silent,
            shutdown_timeout=0.1,
            keepalive_timeout=60,  # visitors are watched elsewhere
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_FIELD,
            lingering_time=_LINGER,
            auto_decompress=False,
        )
        await runner.setup()
        server = runner.server
        assert server is not None  # noqa: S101 - it is set up
        try:
            yield server
        finally:
            await runner.cleanup()

    def _checked(self) -> Middleware:
        @web.middleware
        async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
            visitor = self._visitors().of(request.protocol)
            began = time.monotonic()
            if visitor is not None:
                visitor.enter(Phase.WORKING)
            try:
                response = await self._answered(request, handler, visitor)
            finally:
                if visitor is not None:
                    visitor.enter(Phase.IDLE)
            self._record.answered(_route_of(request), response.status, time.monotonic() - began)
            return response

        return checked

    async def _answered(self, request: web.Request, handler: Handler, visitor: Visitor | None) -> web.StreamResponse:
        address = "?" if visitor is None else visitor.address
        try:
            self._admit(request, address, metrics_only=visitor is not None and visitor.metrics_only)
            if request.method == "OPTIONS":
                return _options(request)
            if _streams(request):
                return await handler(request)
            async with asyncio.timeout(_TAKES_AT_MOST):
                return await handler(request)
        except ConnectionError:
            raise
        except Exception as error:
            return self._failed(error, request, address)

    def _admit(self, request: web.Request, address: str, *, metrics_only: bool) -> None:
        """Raise for what is not carried out."""
        if metrics_only and request.path != "/metrics":
            raise RefusedError(404, "only /metrics is served on this port")
        chosen = request.match_info.handler
        row = self._rows.get(chosen)
        if request.match_info.http_exception is not None:
            wanted = Access.READ
        else:
            wanted = wanted_by(chosen, request.method) if row is None else row.access
        CALLER.set(Caller(address, known=self._gate.check(request, address, wanted)))

    def _failed(self, error: Exception, request: web.Request, address: str) -> web.StreamResponse:
        match error:
            case RefusedError():
                response = error.response()
                if error.because:
                    self._record.refused(error.because, address, request.method, _route_of(request))
            case web.HTTPException():
                response = _problem_of(error)
            case TimeoutError():
                response = problem(504, f"it took longer than {_TAKES_AT_MOST:.0f} s")
            case BusyError():
                response = problem(503, "too much is being worked at", {"Retry-After": "1"})
            case _:
                reason = f"{type(error).__name__}: {error}"
                self._complaints.say(f"{request.method} {_route_of(request)} of the ops server failed: {reason}")
                response = problem(500, "the server has a defect; the bot's log says more")
        return response

    def _handler(self, route: Route) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await self._carried_out(route, request)

        return handler

    async def _carried_out(self, route: Route, request: web.Request) -> web.StreamResponse:
        body = await _body_of(route, request, trusted="Authorization" in request.headers)
        asked = Asked(request, self._tools, body, CALLER.get(), self._gate)
        outcome = "failed"
        try:
            answer = await route.handler(asked)
            outcome = "done"
        except RefusedError:
            outcome = "refused"
            raise
        finally:
            if route.change:
                self._record.changed(
                    route.change, outcome, _who(request, asked.caller), request.method, request.path, body
                )
        if isinstance(answer, web.StreamResponse):
            return answer
        return web.Response(body=written(answer), content_type="application/json", charset="utf-8")


async def _body_of(route: Route, request: web.Request, *, trusted: bool) -> Any:  # noqa: ANN401 - the row's model
    """What the request says; a form of another site is no JSON."""
    if route.body is None:
        return None
    if (request.content_length or 0) > BODY:
        raise web.HTTPRequestEntityTooLarge(BODY, request.content_length or 0)
    try:
        async with asyncio.timeout(_UPLOAD):
            content = await request.read()
    except TimeoutError:
        raise RefusedError(408, "the body did not come") from None
    except (web.RequestPayloadError, asyncio.IncompleteReadError):
        raise RefusedError(400, "the body is not whole") from None
    if not content.strip() and route.body_may_lack:
        return None
    if request.content_type != "application/json" and not trusted:
        raise RefusedError(415, "the body is JSON, with Content-Type: application/json")
    try:
        return route.body.model_validate(json.loads(content))
    except ValidationError as error:
        errors = [
            {"field": ".".join(str(part) for part in each["loc"]), "message": each["msg"]}
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        fields = "; ".join(f"{each['field'] or 'body'}: {each['message']}" for each in errors)
        raise RefusedError(422, fields, errors=errors) from None
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is no JSON") from None


async def _with_headers(_: web.Request, response: web.StreamResponse) -> None:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = _SERVES


def _streams(request: web.Request) -> bool:
    upgraded = request.headers.get("Upgrade", "").lower() == "websocket"
    return upgraded or getattr(request.match_info.handler, "streams", False) is True


def _options(request: web.Request) -> web.Response:
    found = request.match_info.http_exception
    if isinstance(found, web.HTTPMethodNotAllowed):
        return web.Response(status=204, headers={"Allow": ", ".join(sorted({*found.allowed_methods, "OPTIONS"}))})
    raise found or web.HTTPNotFound


def _problem_of(error: web.HTTPException) -> web.Response:
    headers: dict[str, str] = {}
    if isinstance(error, web.HTTPMethodNotAllowed):
        headers["Allow"] = ", ".join(sorted({*error.allowed_methods, "OPTIONS"}))
        detail = f"allowed: {headers['Allow']}"
    elif error.status == web.HTTPNotFound.status_code:
        detail = "there is no such page; GET /openapi.json lists them"
    elif isinstance(error, web.HTTPRequestEntityTooLarge):
        detail = f"a body has at most {BODY} bytes"
    elif error.status < web.HTTPBadRequest.status_code:
        return web.Response(status=error.status, headers=error.headers)
    else:
        detail = error.reason
    return problem(error.status, detail, headers)


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return "other" if resource is None else resource.canonical


def _who(request: web.Request, caller: Caller) -> str:
    """Who asks: the address, and the name of a client's certificate."""
    transport = request.transport
    certificate = None if transport is None else transport.get_extra_info("peercert")
    names = dict(pair for part in (certificate or {}).get("subject", ()) for pair in part)
    name = names.get("commonName") or names.get("organizationalUnitName")
    return f"{caller.address} ({name})" if name else caller.address
