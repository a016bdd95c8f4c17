"""Where the thread of an event loop is at this moment, in few words."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

_DEEPEST = 500
_INNERMOST = 4
_MOST_FRAMES = 8
_LONGEST_PATH = 80

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120 - compared with file names as code has them
_LOOPS = os.path.join(_STANDARD_LIBRARY, "asyncio") + os.sep  # noqa: PTH118
_SELECTORS = os.path.join(_STANDARD_LIBRARY, "selectors.py")  # noqa: PTH118
_OURS = os.path.dirname(__file__) + os.sep  # noqa: PTH120
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_RUNS_A_LOOP = frozenset({"run_forever", "run_until_complete", "run"})


def culprit(thread: int) -> tuple[str, ...]:
    """The frames an event loop of this thread is in, innermost first; empty when the loop itself waits.

    What runs the loop and what belongs to it is left out. Of a deep stack these remain: the innermost frames, which
    say what blocks, and the innermost of the bot's own, which say who called it.
    """
    frame = sys._current_frames().get(thread)  # noqa: SLF001 - documented, for this purpose
    if frame is None:
        return ()
    frames = list(_inside_loop(frame))
    shown = frames[:_INNERMOST] + [each for each in frames[_INNERMOST:] if _is_bots(each.f_code)]
    return tuple(_words(each) for each in shown[:_MOST_FRAMES])


def _inside_loop(frame: FrameType) -> Iterator[FrameType]:
    at: FrameType | None = frame
    for _ in range(_DEEPEST):
        if at is None:
            return
        file = at.f_code.co_filename
        machinery = file.startswith((_LOOPS, _OURS))
        if machinery and at.f_code.co_name in _RUNS_A_LOOP:
            return
        if not machinery and file != _SELECTORS:
            yield at
        at = at.f_back


def _is_bots(code: CodeType) -> bool:
    file = code.co_filename
    if file.startswith("<") or any(part in file for part in _INSTALLED):
        return False
    return not file.startswith(_STANDARD_LIBRARY)


def _words(frame: FrameType) -> str:
    file = frame.f_code.co_filename
    short = file if len(file) <= _LONGEST_PATH else f"…{file[-_LONGEST_PATH:]}"
    return f"{short}:{frame.f_lineno} {frame.f_code.co_qualname[-_LONGEST_PATH:]}"
