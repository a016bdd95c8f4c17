"""``/emergency``: stop trading, and trade again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import StringConstraints

from otel_trading.ops.api.route import Body
from otel_trading.ops.plain import moment_ns

if TYPE_CHECKING:
    from otel_trading.ops.api.route import Asked

_BY = "http"


class Reason(Body):
    """Why."""

    reason: Annotated[str, StringConstraints(max_length=500)] = ""


async def state(asked: Asked) -> object:
    """Whether trading is stopped, since when, why, and by whom."""
    return _shown(asked)


async def stop(asked: Asked) -> object:
    """Stop trading. It stays stopped until somebody resumes; a reason may be left out."""
    reason = asked.body.reason if asked.body is not None else ""
    changed = await asked.tools.work.do_at_once(lambda: asked.source.emergency.stop(reason, by=_BY))
    return _answer(asked, changed, "Emergency stop activated", "Emergency stop was activated before")


async def resume(asked: Asked) -> object:
    """Trade again."""
    reason = asked.body.reason if asked.body is not None else ""
    changed = await asked.tools.work.do_at_once(lambda: asked.source.emergency.resume(reason, by=_BY))
    return _answer(asked, changed, "Trading is resumed", "Trading was not stopped")


def _answer(asked: Asked, changed: bool, done: str, nothing: str) -> dict[str, object]:
    return {
        "success": True,
        "changed": changed,
        "message": done if changed else nothing,
        "emergency": _shown(asked),
    }


def _shown(asked: Asked) -> dict[str, object]:
    found = asked.source.emergency.state
    return {
        "engaged": found.engaged,
        "reason": found.reason,
        "by": found.by,
        "since": moment_ns(found.since_ns),
    }
