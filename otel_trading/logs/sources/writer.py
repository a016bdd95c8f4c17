"""Whom sources hand their lines to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Writer(Protocol):
    """Takes one line; it does not raise and does not wait."""

    def write(
        self,
        severity: int,
        message: str,
        event: str = "",
        service: str = "",
        data: Mapping[str, object] | None = None,
        tags: Sequence[str] = (),
    ) -> None: ...


def process_lines() -> Writer:
    """The process's lines, which are there also before ``configure()``."""
    from otel_trading.logs.lines import lines

    return lines()
