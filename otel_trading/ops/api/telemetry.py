"""``/metrics``, ``/status``, ``/config``, ``/openapi.json``: what telemetry says of itself and of the bot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from otel_trading.ops.api.route import Asked


async def metrics(asked: Asked) -> object:
    """All metrics: text, OpenMetrics or protobuf, whatever is preferred."""
    accept = ", ".join(asked.request.headers.getall("Accept", []))
    body, content_type = await asked.tools.metrics.share(accept, asked.source.render_metrics, accept)
    return web.Response(body=body, headers={"Content-Type": content_type})


async def status(asked: Asked) -> object:
    """What was sent, what waits and what is lost, by signal."""
    return await asked.tools.work.share("status", asked.source.status_json)


async def config(asked: Asked) -> object:
    """Every option with its value and where that is from; secrets are hidden."""
    return await asked.tools.work.share("config", asked.source.config_json)


async def reload(asked: Asked) -> object:
    """Take the configuration files as they are now: each whole, or not at all."""
    return {"files": await asked.tools.work.share("reload", asked.source.reload_config)}


async def openapi(asked: Asked) -> object:
    """What this server answers and takes, in OpenAPI."""
    body, tag = asked.tools.document()
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in asked.request.headers.get("If-None-Match", ""):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type="application/json", charset="utf-8", headers=headers)
