"""``/login``, ``/logout``, ``/session``: a browser shows the token once and keeps a key that no script reads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

from aiohttp import web
from pydantic import StringConstraints

from otel_trading.ops.access import SESSION
from otel_trading.ops.api.route import Body
from otel_trading.ops.gate import is_closed
from otel_trading.ops.plain import moment, written

if TYPE_CHECKING:
    from otel_trading.ops.api.route import Asked


class Login(Body):
    """The token."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


async def log_in(asked: Asked) -> object:
    """Exchange the token for a session: a cookie that scripts cannot read and other sites do not send."""
    asked.gate.log_in(asked.body.token, asked.caller.address)
    response = web.Response(
        body=written({"expires": moment(time.time() + SESSION)}), content_type="application/json", charset="utf-8"
    )
    secure = asked.tools.terms.secure
    response.set_cookie(
        asked.gate.cookie,
        asked.tools.keys.session(),
        max_age=SESSION,
        path="/",
        secure=secure,
        httponly=True,
        samesite="Strict",
    )
    return response


async def log_out(asked: Asked) -> object:
    """End the session."""
    name = asked.gate.cookie
    asked.tools.keys.end(asked.request.cookies.get(name, ""))
    response = web.Response(body=written({"known": False}), content_type="application/json", charset="utf-8")
    response.del_cookie(name, path="/", secure=asked.tools.terms.secure, httponly=True, samesite="Strict")
    return response


async def session(asked: Asked) -> object:
    """Whether this browser is known, and whether it has to be in order to read."""
    return {"known": asked.caller.known, "needed_to_read": is_closed(asked.tools.terms, asked.request)}
