"""Numbered lines, and all that a log file and its backups hold."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_LINE = (
    b'{"timestamp":"2025-01-15T14:23:45.123456Z","level":"%s","service":"order_router","message":"%s",'
    b'"data":{"writer":"%s","number":%d}}\n'
)
LEVELS = ("INFO", "DEBUG", "WARNING", "ERROR")


def line(writer: str, number: int, level: str | None = None) -> bytes:
    """A line as the kit writes them; some are long."""
    return _LINE % (
        (level or LEVELS[number % 4]).encode(),
        b"x" * (number * 7919 % 300),
        writer.encode(),
        number,
    )


def lines(writer: str, first: int, end: int, level: str | None = None) -> bytes:
    """Lines ``first`` to ``end``, without that."""
    return b"".join(line(writer, number, level) for number in range(first, end))


def parts(path: Path) -> list[Path]:
    """The file and its backups, the oldest first."""
    backups = sorted(path.parent.glob(f"{path.name}.*"))
    assert not [backup for backup in backups if backup.name.endswith(".part")]
    return [*backups, *([path] if path.exists() else [])]


def content(path: Path) -> bytes:
    """What a file or backup holds."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def read(path: Path) -> list[dict[str, Any]]:
    """Every line of the file and its backups; each is whole and valid."""
    found = []
    for part in parts(path):
        text = content(part)
        assert text.endswith(b"\n") or not text
        found += [json.loads(each) for each in text.splitlines()]
    return found


def numbers(path: Path, writer: str = "a") -> list[int]:
    """The numbers of a writer's lines, in their order."""
    return [fields["data"]["number"] for fields in read(path) if fields["data"]["writer"] == writer]


def breaks(found: list[int]) -> list[tuple[int, int, int]]:
    """Where numbers from 0 on do not follow each other: the place, the number before, the number there."""
    before = [-1, *found]
    return [(place, before[place], each) for place, each in enumerate(found) if each != before[place] + 1]
