"""A process that writes numbered lines into a log file, and says after each chunk up to which number."""

from __future__ import annotations

import os
import sys
from itertools import count
from pathlib import Path

from otel_trading.logs.files.file import JsonFile
from otel_trading.logs.files.rotation import Rotation
from tests.logs.files.numbered import lines

KEEP = 10_000


def main(path: str, writer: str, first: str, end: str, size: str, chunk: str) -> None:
    file = JsonFile(Path(path), rotation=Rotation(size=int(size), keep=KEEP))
    _say("ready")
    sys.stdin.readline()
    for begin in count(int(first), int(chunk)):
        behind = min(begin + int(chunk), int(end))
        lost = file.write(lines(writer, begin, behind), {})
        last = behind == int(end)
        if file.problem is None or lost or last:  # else it waits in memory
            _say(f"{behind if file.problem is None or last else begin} {sum(lost.values())}")
        if behind == int(end):
            break
    _say(f"closed {sum(file.close().values())}")


def _say(text: str) -> None:
    os.write(1, f"{text}\n".encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
