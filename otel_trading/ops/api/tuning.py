"""``/log-level`` and ``/sampling``: how much is written and kept, changed while the bot runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints, field_validator

from otel_trading.ops.api.route import Body
from otel_trading.ops.levels import MOST
from otel_trading.ops.plain import moment
from otel_trading.ops.problems import RefusedError

if TYPE_CHECKING:
    from otel_trading.ops.api.route import Asked

_A_DAY = 86_400

_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class LevelChange(Body):
    """A logger's level; ``null`` takes it back. The logger ``""`` stands for all that have none of their own."""

    logger: Annotated[str, StringConstraints(max_length=200)] = ""
    level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None
    seconds: Annotated[float, Field(gt=0, le=_A_DAY, allow_inf_nan=False)] | None = Field(
        None, alias="for", description="Seconds after which it is as before; without them it holds until it is changed."
    )

    @field_validator("level", mode="before")
    @classmethod
    def _ignore_case(cls, level: object) -> object:
        return level.strip().upper() if isinstance(level, str) else level


class SamplingChange(Body):
    """What is to change; the rest stays as it is."""

    traces_retention: Literal["all", "budget", "interesting"] | None = None
    traces_budget: _Positive | None = None
    traces_slow_percentile: Annotated[float, Field(gt=0, lt=1)] | None = None
    traces_slippage_bps: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    traces_max_age: _Positive | None = None
    event_sampling_rate: Annotated[float, Field(ge=0, le=1)] | None = None


async def log_levels(asked: Asked) -> object:
    """The levels in force, by logger, and those among them that go back by themselves."""
    levels = asked.source.levels
    temporary = {
        name: {"level": held.level, "until": moment(held.until)} for name, held in sorted(levels.temporary.items())
    }
    return {"levels": levels.shown, "temporary": temporary}


async def change_log_level(asked: Asked) -> object:
    """Give a logger, and those below it, a level: for some seconds, or until telemetry is configured anew."""
    wanted: LevelChange = asked.body
    try:
        asked.source.levels.set(wanted.level, wanted.logger, seconds=wanted.seconds)
    except OverflowError:
        raise RefusedError(409, f"{MOST} loggers have a level for a time, which are enough") from None
    return await log_levels(asked)


async def sampling(asked: Asked) -> object:
    """Which traces and events are kept, and what of that cannot be changed while the bot runs."""
    return {"values": asked.source.sampling.values(), "fixed": asked.source.sampling.fixed()}


async def change_sampling(asked: Asked) -> object:
    """Keep other traces and events from now on, until telemetry is configured anew."""
    wanted = asked.body.model_dump(exclude_none=True)
    if not wanted:
        raise RefusedError(422, "nothing is to change; GET /sampling shows what can")
    try:
        asked.source.sampling.change(wanted)
    except PermissionError as error:
        raise RefusedError(409, str(error)) from None
    return await sampling(asked)
