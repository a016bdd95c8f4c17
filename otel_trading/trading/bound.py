"""One series of an instrument, of either engine."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def bound(instrument: Any, verb: str, attributes: Mapping[str, Any]) -> Callable[[float], None]:  # noqa: ANN401 - any
    """The instrument's call for one series: bound where the engine can."""
    if hasattr(instrument, "bind"):
        call: Callable[[float], None] = getattr(instrument.bind(dict(attributes)), verb)
        return call
    return partial(getattr(instrument, verb), attributes=dict(attributes))
