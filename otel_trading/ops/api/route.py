"""What one row of the table of routes says, and what its handler gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from otel_trading.ops.access import Access

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp import web

    from otel_trading.ops.access import Caller, Keys
    from otel_trading.ops.gate import Gate
    from otel_trading.ops.source import Source
    from otel_trading.ops.terms import Terms
    from otel_trading.ops.work import Work

    Handler = Callable[["Asked"], Awaitable[object]]
    Schema = Mapping[str, object]


class Body(BaseModel):
    """The JSON of a request: what it does not name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True)


@dataclass(frozen=True, slots=True)
class Tools:
    """What handlers work with."""

    source: Source
    terms: Terms
    keys: Keys
    work: Work
    metrics: Work
    """For ``/metrics`` alone: what else takes long does not delay a scrape."""
    document: Callable[[], tuple[bytes, str]]
    """The description of the server, and its entity tag."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be carried out."""

    request: web.Request
    tools: Tools
    body: Any
    """The row's ``body``, or ``None``."""
    caller: Caller
    gate: Gate

    @property
    def source(self) -> Source:
        """Who knows."""
        return self.tools.source


@dataclass(frozen=True, slots=True)
class Route:
    """One row: where, who may, what it takes, what it answers.

    ``answer`` is the schema of the JSON in an answer with status 200, or the media types of other answers.
    ``others`` are further statuses with what they mean; the usual refusals belong to every route.
    """

    method: str
    path: str
    summary: str
    handler: Handler
    answer: Schema | tuple[str, ...]
    access: Access = Access.READ
    body: type[Body] | None = None
    others: Mapping[int, str] = field(default_factory=dict)
    parameters: tuple[Schema, ...] = ()
    change: str = ""
    """What it is called as a change, in the log and in metrics."""
    body_may_lack: bool = False

    @property
    def operation(self) -> str:
        """What programs call it."""
        return self.handler.__name__.strip("_")
