from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_trading.logs.lines import Lines
from tests.core.conftest import bot, configured, receiver

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_trading import _native

__all__ = ["bot", "configured", "receiver"]

SIZE = 1 << 21
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


@pytest.fixture
def lines() -> Lines:
    """Lines in memory that nobody delivers, wanted as requests and as JSON."""
    made = Lines()
    made.record(None, size=SIZE)
    made.core.describe("", {"service.name": "basis-bot"}, "basis-bot")
    made.core.set_demand(4_096, 1)
    return made


def written(lines: Lines) -> list[dict[str, Any]]:
    """The lines that wait, decoded."""
    found: list[dict[str, Any]] = []
    while True:
        taken(lines)
        text, counts = lines.core.take_lines().of(0)
        new = decoded(text)
        assert counts == {level: number for level in LEVELS if (number := [each["level"] for each in new].count(level))}
        found += new
        if not lines.core.unread:
            return found


def decoded(text: bytes) -> list[dict[str, Any]]:
    """Lines of JSON, no key of which may come twice."""
    assert text == b"" or text.endswith(b"\n")
    return [json.loads(line, object_pairs_hook=once, parse_constant=no_json) for line in text.splitlines()]


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def no_json(name: str) -> Any:
    raise AssertionError(f"{name} is no JSON")


def taken(lines: Lines) -> list[_native.LogBatch]:
    """What is ready to be sent."""
    batches: list[_native.LogBatch] = []
    while True:
        lines.core.drain(True)
        batch = lines.core.take()
        if batch is None:
            return batches
        batches.append(batch)


def sent(lines: Lines) -> list[Any]:
    """The records that are ready to be sent."""
    return records(batch.request for batch in taken(lines))


def records(requests: Iterable[bytes]) -> list[Any]:
    found = [ExportLogsServiceRequest.FromString(request) for request in requests]
    scopes = [scope for request in found for each in request.resource_logs for scope in each.scope_logs]
    return [record for scope in scopes for record in scope.log_records]


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self, level: int = 5, *, lost: Mapping[str, int] | None = None) -> None:
        self.level = level
        self.problem: str | None = None
        self.lost = lost or {}
        self.text = b""
        self.did: list[str] = []
        self.error: Exception | None = None

    def write(self, lines: bytes, counts: Mapping[str, int]) -> Mapping[str, int]:
        if self.error is not None:
            raise self.error
        self.text += lines
        assert lines.count(b"\n") == sum(counts.values())
        return self.lost

    def flush(self) -> None:
        self.did.append("flush")

    def reopen(self) -> None:
        self.did.append("reopen")

    def close(self) -> Mapping[str, int]:
        self.did.append("close")
        return {}


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Kept:
    """The only sink of bots that are configured from now on."""
    kept = Kept()
    monkeypatch.setattr("otel_trading.logs.sinks.build_sinks", lambda _: [kept])
    return kept
