"""What health looks at outside its own room."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.folders import state_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from otel_trading.risk.emergency import Emergency
    from otel_trading.runtime.loop import LoopState
    from otel_trading.settings import Settings
    from otel_trading.status import Status
    from otel_trading.trading.fanout import Lines


@dataclass(frozen=True, slots=True)
class Surroundings:
    """How it gets at them; each may be missing.

    Args:
        loops: the event loops that run.
        status: the state of telemetry; may take a third of a second.
        restarts: how often parts of telemetry began anew, by name.
        lines: where log lines go.
        emergency: the emergency stop.

    """

    loops: Callable[[], Sequence[LoopState]] = tuple
    status: Callable[[], Status] | None = None
    restarts: Callable[[], Mapping[str, int]] = dict
    lines: Callable[[], Lines | None] = lambda: None
    emergency: Emergency | None = None


def written_to(settings: Settings) -> tuple[str, ...]:
    """The paths whose file systems the bot and its telemetry write to."""
    paths = list(settings.runtime_disk_paths)
    if settings.spool_enabled:
        paths.append(str(settings.spool_folder or state_folder("spool")))
    paths += [str(Path(file).parent) for file in (settings.log_file, settings.metrics_file) if file]
    return tuple(dict.fromkeys(paths))
