"""``/alerts``: what people were told, and whom not to wake."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, StringConstraints

from otel_trading.ops.api.route import Body
from otel_trading.ops.plain import plain
from otel_trading.ops.problems import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_trading.alerts.model import AlertPayload
    from otel_trading.ops.api.route import Asked

_TWO_WEEKS = 14 * 86_400
_SHOWN = 200

_Short = Annotated[str, StringConstraints(max_length=200)]


class Silence(Body):
    """What nobody is told of for how many seconds: a rule, a subject, both with * and ?, up to a level."""

    rule: _Short = "*"
    subject: _Short = "*"
    level: Literal["INFO", "WARNING", "ERROR", "CRITICAL"] = "CRITICAL"
    seconds: Annotated[float, Field(gt=0, le=_TWO_WEEKS, allow_inf_nan=False)] = Field(alias="for")
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class Trial(Body):
    """The channel to try; all without one."""

    channel: _Short | None = None


async def alerts(asked: Asked) -> object:
    """What is not over, most serious first, and what was told last, newest first."""
    manager = asked.source.alerts
    return {
        "active": [_shown(each) for each in manager.active()],
        "recent": [_shown(each) for each in list(manager.recent())[:_SHOWN]],
    }


async def deliveries(asked: Asked) -> object:
    """Which channel was told what, when, and what came of it; the newest first."""
    return {"deliveries": list(await _done(asked, "deliveries"))[:_SHOWN]}


async def silences(asked: Asked) -> object:
    """What nobody is told of at the moment."""
    return {"silences": list(await _done(asked, "silences"))}


async def silence(asked: Asked) -> object:
    """Tell nobody of a rule's alerts for a time; they are kept and shown all the same."""
    wanted: Silence = asked.body
    terms = {"level": wanted.level, "seconds": wanted.seconds, "reason": wanted.reason, "by": "http"}
    made = await _done(asked, "silence", wanted.rule, wanted.subject, **terms)
    return {"silence": made}


async def end_silence(asked: Asked) -> object:
    """Tell of it again."""
    number = asked.request.match_info["id"]
    if not await _done(asked, "end_silence", number):
        raise RefusedError(404, f"there is no silence {number}; GET /alerts/silences lists them")
    return {"id": number, "removed": True}


async def test(asked: Asked) -> object:
    """Send a trial alert over a channel, or over all."""
    channel = asked.body.channel if asked.body is not None else None
    return {"tested": await _done(asked, "test", channel)}


async def acknowledge(asked: Asked) -> object:
    """Say that somebody looks after an alert: it does not escalate any more."""
    key = asked.request.match_info["key"]
    if not await _done(asked, "acknowledge", key, "http"):
        raise RefusedError(404, f"there is no alert {key} that is not over; GET /alerts lists them")
    return {"key": key, "acknowledged": True}


async def _done(asked: Asked, name: str, /, *arguments: object, **named: object) -> Any:  # noqa: ANN401 - the manager's
    """What the manager's method of this name answers."""
    method: Callable[..., Any] | None = getattr(asked.source.alerts, name, None)
    if method is None:
        raise RefusedError(501, f"alerts know no {name.replace('_', ' ')} here")
    try:
        answer = await asked.tools.work.do(lambda: method(*arguments, **named))
        return await answer if inspect.isawaitable(answer) else answer
    except (LookupError, ValueError) as error:
        raise RefusedError(404 if isinstance(error, LookupError) else 422, str(error).strip("'\"")) from None


def _shown(alert: AlertPayload) -> dict[str, object]:
    document = plain(alert)
    return {"key": alert.key, **(document if isinstance(document, dict) else {})}
