"""The options of taking changes while the bot runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from otel_trading.settings.rows import SWITCH, option


class Reloading(BaseSettings):
    """How changes of configuration files are noticed."""

    reload_enabled: bool = option(
        True, "Whether configuration files are watched, and their changes taken while the bot runs.", allowed=SWITCH
    )
    reload_interval: Annotated[float, Field(ge=0.05, le=3_600)] = option(
        0.5, "Time between two looks at a configuration file.", allowed="a number from 0.05 to 3600 (seconds)"
    )
