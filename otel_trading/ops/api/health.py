"""``/health``, ``/health/detailed``, ``/ready``: for probes, and for those whom a probe woke."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from otel_trading.health.document import health_json
from otel_trading.ops.plain import moment, moment_ns, written

if TYPE_CHECKING:
    from otel_trading.health.model import Component
    from otel_trading.ops.api.route import Asked


async def live(asked: Asked) -> object:
    """Liveness: the process answers; which event loops are stuck is said, with their stack."""
    stalled = [each for each in asked.source.health.report().components if _is_stalled(each)]
    return {
        "status": "stalled" if stalled else "ok",
        "timestamp": moment(time.time()),
        "stalled": [
            {
                "name": loop.name,
                "since": moment_ns(loop.since_ns),
                "reasons": loop.reasons,
                "details": loop.details,
            }
            for loop in stalled
        ],
    }


async def detailed(asked: Asked) -> object:
    """How each part of the bot is, and each thing it depends on."""
    return health_json(asked.source.health.report())


async def ready(asked: Asked) -> object:
    """Whether the bot may be given work; with status 503 when not."""
    from aiohttp import web

    report = asked.source.health.report()
    document = {
        "status": "ready" if report.ready else "not_ready",
        "timestamp": moment(time.time()),
        "reasons": () if report.ready else report.not_ready or report.reasons,
    }
    return web.Response(
        body=written(document), status=200 if report.ready else 503, content_type="application/json", charset="utf-8"
    )


def _is_stalled(component: Component) -> bool:
    return component.kind == "event_loop" and component.state != "healthy"
