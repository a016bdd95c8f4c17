"""Where panels are: in lines from the left, each as wide as the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.provisioning.model import WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_trading.provisioning.model import Panel

Place = dict[str, int]


def places(panels: Sequence[Panel], top: int) -> tuple[list[Place], int]:
    """The place of each panel from line ``top`` on, and the line below the last.

    Lines are filled with what fits, then widened to the whole width; the panels of a line are as high as its highest.
    """
    found: list[Place] = []
    for line in _lines(panels):
        height = max(panel.height for panel in line)
        left = 0
        for width in _widened([panel.width for panel in line]):
            found.append({"x": left, "y": top, "w": width, "h": height})
            left += width
        top += height
    return found, top


def _lines(panels: Iterable[Panel]) -> Iterable[list[Panel]]:
    line: list[Panel] = []
    for panel in panels:
        if line and sum(each.width for each in line) + panel.width > WIDTH:
            yield line
            line = []
        line.append(panel)
    if line:
        yield line


def _widened(widths: Sequence[int]) -> list[int]:
    """The widths, in the same proportions, of a full line.

    >>> _widened([8, 8]), _widened([4, 4, 4, 4, 4]), _widened([6, 8])
    ([12, 12], [5, 5, 5, 5, 4], [11, 13])
    """
    total = sum(widths)
    wide = [width * WIDTH // total for width in widths]
    for place in range(WIDTH - sum(wide)):
        wide[place] += 1
    return wide
