"""Decimal numbers as the venues write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from decimal import Decimal


def number(value: Decimal) -> str:
    """Write a number as the venues do: at least to the satoshi's place, never in exponents."""
    return f"{value:.8f}"


def plain(value: Decimal) -> str:
    """Write a number without trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
