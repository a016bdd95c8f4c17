"""How many attributes, events and links a span may have: the SDK's ``SpanLimits``, for the core."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.settings import Problem, report

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading import _native

_COUNT = 128


@dataclass(frozen=True, slots=True)
class Limits:
    """Each ``None`` is no limit; counts are 128 unless the environment or the bot says otherwise."""

    span_attributes: int | None = _COUNT
    event_attributes: int | None = _COUNT
    link_attributes: int | None = _COUNT
    events: int | None = _COUNT
    links: int | None = _COUNT
    span_length: int | None = None
    length: int | None = None

    @classmethod
    def of(cls, given: Any) -> Limits:  # noqa: ANN401 - the SDK's SpanLimits, which need not be imported
        """The limits of the SDK's object."""
        return cls(
            given.max_span_attributes,
            given.max_event_attributes,
            given.max_link_attributes,
            given.max_events,
            given.max_links,
            given.max_span_attribute_length,
            given.max_attribute_length,
        )

    @classmethod
    def of_environment(cls, variables: Mapping[str, str] = os.environ) -> Limits:
        """The limits of ``OTEL_SPAN_*_LIMIT`` and its relatives; an unusable value is reported and left out.

        >>> Limits.of_environment({"OTEL_ATTRIBUTE_COUNT_LIMIT": "9"}).link_attributes
        9
        """

        def limit(name: str, default: int | None) -> int | None:
            return _limit(variables, f"OTEL_{name}_LIMIT", default)

        count = limit("ATTRIBUTE_COUNT", _COUNT)
        length = limit("ATTRIBUTE_VALUE_LENGTH", None)
        return cls(
            limit("SPAN_ATTRIBUTE_COUNT", count),
            limit("EVENT_ATTRIBUTE_COUNT", count),
            limit("LINK_ATTRIBUTE_COUNT", count),
            limit("SPAN_EVENT_COUNT", _COUNT),
            limit("SPAN_LINK_COUNT", _COUNT),
            limit("SPAN_ATTRIBUTE_VALUE_LENGTH", length),
            length,
        )

    def apply(self, traces: _native.Traces) -> None:
        """Have the core keep to them."""
        traces.set_limits(
            (self.span_attributes, self.span_length),
            (self.event_attributes, self.length),
            (self.link_attributes, self.length),
            self.events,
            self.links,
        )


def _limit(variables: Mapping[str, str], name: str, default: int | None) -> int | None:
    text = variables.get(name, "").strip().lower()
    if not text:
        return default
    if text.isdecimal():
        return int(text)
    report(Problem(name, text, "a whole number from 0 on", str(default), "environment"))
    return default
