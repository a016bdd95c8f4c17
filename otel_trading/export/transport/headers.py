"""Headers that the bot's options add to every request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
HTTP = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""What a value over HTTP may be made of."""
GRPC = re.compile(r"[\x20-\x7e]*")
"""And over gRPC."""


def check(headers: Mapping[str, str], values: re.Pattern[str]) -> None:
    r"""Raise ``ValueError`` for a header that cannot be sent; its value, which may be a secret, is not in the message.

    >>> check({"api-key": "broken\nline"}, HTTP)
    Traceback (most recent call last):
    ValueError: the value of header api-key holds characters that cannot be sent
    """
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r:.50} is no name of a header")
        if not values.fullmatch(value):
            raise ValueError(f"the value of header {name:.50} holds characters that cannot be sent")
