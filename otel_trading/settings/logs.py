"""The options of logs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from otel_trading.settings import parse
from otel_trading.settings.rows import (
    LEVEL,
    NAME,
    SOME_TEXTS,
    SWITCH,
    Count,
    Exporters,
    Headers,
    Positive,
    Texts,
    option,
)

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
_Levels = Annotated[Headers, AfterValidator(parse.levels)]
_WHAT_PASSES = f"{LEVEL}; all that log_level lets through when not given"


class Logs(BaseSettings):
    """What becomes of log records."""

    log_level: Level = option("INFO", "Lowest level of log records that are taken.", allowed=LEVEL)
    log_levels: _Levels = option(
        {},
        "Levels of single loggers and of those below them, where they differ from log_level.",
        allowed="logger=LEVEL pairs, comma separated, such as venue.kraken=DEBUG",
    )
    log_file: NAME | None = option(None, "File that gets every line as JSON.", allowed="a path")
    log_file_level: Level | None = option(None, "Lowest level of the lines in log_file.", allowed=_WHAT_PASSES)
    log_errors_file: NAME | None = option(None, "File that gets lines of ERROR and above alone.", allowed="a path")
    log_console: Literal["none", "readable", "json"] = option(
        "none",
        "Whether lines are printed on the error stream: for people, or as JSON.",
        allowed="none, readable or json",
    )
    log_console_level: Level | None = option(None, "Lowest level of the lines on the console.", allowed=_WHAT_PASSES)
    log_rotate_size: Annotated[int, Field(ge=1 << 16)] = option(
        100_000_000, "Bytes of a log file, from which on it is rotated.", allowed="a whole number from 65536 (bytes)"
    )
    log_rotate_daily: bool = option(True, "Whether log files are rotated at midnight, UTC.", allowed=SWITCH)
    log_keep_files: Count = option(5, "Rotated files that are kept of each log file.", allowed="a whole number above 0")
    log_keep_days: Positive = option(30.0, "Days after which a rotated file goes.", allowed="a number above 0 (days)")
    log_compress: bool = option(True, "Whether rotated files are compressed.", allowed=SWITCH)

    # What never leaves
    redaction: bool = option(True, "Whether secrets are masked before anything is written or sent.", allowed=SWITCH)
    redaction_patterns: Texts = option((), "Regular expressions; what they match is masked, too.", allowed=SOME_TEXTS)
    redaction_keys: Exporters = option(
        (), "Names of keys whose values are masked, too.", allowed="a comma separated list"
    )
