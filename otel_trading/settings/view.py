"""The options that say how telemetry is looked at."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from otel_trading.settings.rows import (
    A_TIME,
    NAME,
    SWITCH,
    Positive,
    option,
)


class View(BaseSettings):
    """How it is looked at."""

    metric_aliases: bool = option(
        False, "Whether metrics also leave under the names that requirement documents give them.", allowed=SWITCH
    )
    metrics_file: NAME | None = option(None, "File that gets all metrics as JSON.", allowed="a path")
    metrics_file_interval: Positive = option(60.0, "Time between two dumps to the file.", allowed=A_TIME)
    metrics_file_keep: Annotated[int, Field(ge=0)] = option(
        0, "Dumps that are kept beside the latest.", allowed="a whole number from 0"
    )
    summary_at_exit: bool = option(
        False, "Whether shutdown prints what was measured, as a table on the error stream.", allowed=SWITCH
    )
    banner: bool = option(True, "Whether configure() prints its one line.", allowed=SWITCH)
