"""Requests made smaller, and answers as they were."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_GZIP_LEVEL = 3
"""A seventh of the time of 9, and a tenth more bytes."""


def gzipped(request: bytes) -> bytes:
    """Compress by gzip."""
    return gzip.compress(request, _GZIP_LEVEL)


COMPRESSIONS: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzipped, "deflate": zlib.compress, "none": bytes}


def expanded(answer: bytes, limit: int) -> bytes:
    """What was compressed by gzip or deflate, at most so many bytes of it; raises ``zlib.error``.

    >>> expanded(gzipped(b"tick" * 1_000), 10)
    b'ticktickti'
    """
    return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(answer, limit)
