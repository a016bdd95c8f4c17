"""What the server says of itself: a line and a count for each change, a count of what was refused, durations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.runtime.voice import Voice, and_more

if TYPE_CHECKING:
    from pydantic import BaseModel

    from otel_trading.ops.source import Source

_SECRETS = frozenset({"token"})


class Record:
    """Nothing of it raises."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._voice = Voice()
        self._durations = source.meter.create_histogram(
            "trading.ops.request.duration", "s", "How long requests to the ops server took."
        )
        self._changes = source.meter.create_counter(
            "trading.ops.changes", "{change}", "Changes asked for over the ops server."
        )
        self._refusals = source.meter.create_counter(
            "trading.ops.refusals", "{request}", "Requests that the ops server refused."
        )

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request is over."""
        self._durations.record(seconds, {"http.route": route, "http.response.status_code": status})

    def changed(self, change: str, outcome: str, who: str, method: str, path: str, body: BaseModel | None) -> None:
        """Somebody changed something, or tried to."""
        self._changes.add(1, {"trading.ops.change": change, "trading.ops.outcome": outcome})
        said = {} if body is None else body.model_dump(mode="json", by_alias=True, exclude_none=True)
        fields = {name: value for name, value in said.items() if name not in _SECRETS}
        self._source.tell(
            f"{who} asked for {method} {path}: {outcome}",
            "ops.change",
            {"change": change, "outcome": outcome, "client": who, **fields},
            warn=outcome != "done",
        )

    def refused(self, because: str, who: str, method: str, route: str) -> None:
        """Somebody was not let in; a line a minute and address says so."""
        self._refusals.add(1, {"trading.ops.refusal": because})
        more = self._voice.kept_back((who, because))
        if more is not None:
            self._source.tell(
                f"{who} was refused {method} {route} ({because}){and_more(more)}",
                "ops.refusal",
                {"client": who, "refusal": because},
                warn=True,
            )
