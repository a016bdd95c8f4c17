"""What became of a change of the configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from otel_trading.reloading.difference import Change


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a change: all of it holds, or nothing, or there was none.

    ``by`` says who asked for it: ``file`` when the file changed, ``SIGHUP``, ``api``, ``http``. ``later`` are changes
    that hold from the next start on, ``hidden`` options whose change has no effect as an argument or the environment is
    stronger.
    """

    source: str
    by: str
    outcome: Literal["applied", "refused", "unchanged"]
    changes: tuple[Change, ...] = ()
    later: tuple[Change, ...] = ()
    hidden: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether what stands in the source holds, or will from the next start on."""
        return self.outcome != "refused"
