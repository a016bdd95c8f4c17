"""Identifiers that stay the same from one rendering to the next."""

from __future__ import annotations

from zlib import crc32

_LARGEST = 2**31 - 1
"""Grafana keeps the identifiers of panels in 32 bits with a sign."""


def panel_id(slug: str) -> int:
    """The number of the panel with this slug, on every board and for ever.

    >>> panel_id("tick-to-trade")
    94596535
    """
    return crc32(slug.encode()) % _LARGEST + 1
