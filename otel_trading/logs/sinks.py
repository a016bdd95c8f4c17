"""Where lines go on this machine: files and the console."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from otel_trading.logs.levels import SEVERITIES
from otel_trading.settings import report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.settings import Settings


class Sink(Protocol):
    """Takes chunks of whole lines, one object of JSON each, from one thread; nothing of it raises."""

    level: int
    """The severity from which on it wants lines."""

    problem: str | None
    """Why nothing can be written at the moment."""

    def write(self, lines: bytes, counts: Mapping[str, int]) -> Mapping[str, int]:
        """Take lines, of each level so many; how many were lost since the last answer, by level."""
        ...

    def flush(self) -> None:
        """Try again what waits; called about once a second, also when there is nothing new."""

    def reopen(self) -> None:
        """Look anew for the file of the path, before the next line; may be called from anywhere."""

    def close(self) -> Mapping[str, int]:
        """Write what waits, and end; how many lines were lost, by level."""
        ...


def build_sinks(settings: Settings) -> list[Sink]:
    """The files and the console that the settings name; what cannot be used costs itself, and is reported."""
    sinks: list[Sink] = []
    if settings.disabled or not settings.logs_enabled:
        return sinks
    try:
        if settings.log_console != "none":
            from otel_trading.logs.console import Console

            sinks.append(Console(settings.log_console, level=_least(settings.log_console_level)))
        sinks += _files(settings)
    except Exception as error:
        report(f"log files or the console cannot be used: {type(error).__name__}: {error}")
    return sinks


def reopen_files() -> bool:
    """Have all log files opened anew, as after they were renamed; whether there are any."""
    module = sys.modules.get("otel_trading.logs.files.file")
    files = [] if module is None else module.open_files()
    for file in files:
        file.reopen()
    return bool(files)


def _files(settings: Settings) -> list[Sink]:
    wanted = [("log_file", settings.log_file, _least(settings.log_file_level))]
    wanted.append(("log_errors_file", settings.log_errors_file, SEVERITIES["ERROR"]))
    paths = [path for _, path, _ in wanted if path is not None]
    if not paths:
        return []
    from otel_trading.logs.files.file import JsonFile
    from otel_trading.logs.files.rotation import Rotation

    if len(paths) > 1 and Path(paths[0]).expanduser().resolve() == Path(paths[1]).expanduser().resolve():
        report(f"log_errors_file={paths[1]} is also log_file: it is not written twice")
        wanted.pop()
    rotation = Rotation(
        settings.log_rotate_size,
        settings.log_rotate_daily,
        settings.log_keep_files,
        settings.log_keep_days,
        settings.log_compress,
    )
    return [
        JsonFile(Path(path), level=level, rotation=rotation, option=option)
        for option, path, level in wanted
        if path is not None
    ]


def _least(level: str | None) -> int:
    """The severity of a level; without one everything that ``log_level`` lets through."""
    return 0 if level is None else SEVERITIES[level]
