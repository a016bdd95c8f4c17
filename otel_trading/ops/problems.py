"""What went wrong with a request, as RFC 9457 has it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from otel_trading.ops.plain import written

if TYPE_CHECKING:
    from collections.abc import Mapping


class RefusedError(Exception):
    """A request that is not carried out."""

    def __init__(
        self,
        status: int,
        detail: str,
        headers: Mapping[str, str] | None = None,
        *,
        because: str = "",
        **more: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = dict(headers or {})
        self.because = because
        """What it is counted as."""
        self.more = more

    def response(self) -> web.Response:
        """What the other side is told."""
        return problem(self.status, str(self), self.headers, **self.more)


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> web.Response:
    """A problem as an answer."""
    phrase = HTTPStatus(status).phrase
    document = {"type": "about:blank", "title": phrase, "status": status, "detail": detail or phrase, **more}
    return web.Response(body=written(document), status=status, headers=headers, content_type="application/problem+json")
