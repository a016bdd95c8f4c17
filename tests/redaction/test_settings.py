"""Redaction by configuration: on, off, and with patterns and names of the user's own."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_trading as ot
from otel_trading import redaction
from otel_trading.cli import commands
from otel_trading.settings import Problem, resolve
from tests.core.conftest import Configure, configured, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.core.otlp_receiver import OtlpReceiver

__all__ = ["configured", "receiver"]


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    """Leave the process's redaction as it was."""
    yield
    redaction.use((), (), enabled=True)


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_own_patterns_and_keys_are_masked(configured: Configure, receiver: OtlpReceiver, engine: str) -> None:
    """In every signal, beside what is always masked."""
    telemetry = configured(engine=engine, redaction_patterns=["ACC-[0-9]{6}"], redaction_keys="desk, account_number")
    span = telemetry.tracer.start_span("for ACC-123456", attributes={"desk": 7, "accountNumber": "x", "side": "buy"})
    span.end()
    telemetry.flush(5)
    (sent,) = receiver.spans
    assert sent.name == "for [redacted:pattern]"
    told = {pair.key: pair.value.string_value for pair in sent.attributes}
    assert told == {"desk": "[redacted:key]", "accountNumber": "[redacted:key]", "side": "buy"}


def test_a_pattern_that_is_none_is_named_and_the_others_hold(
    configured: Configure, caplog: pytest.LogCaptureFixture
) -> None:
    """One message, also in the status."""
    with caplog.at_level(logging.WARNING, "otel_trading"):
        telemetry = configured(redaction_patterns=["(", "ACC-[0-9]{6}"])
    said = [message for message in caplog.messages if "redaction" in message]
    assert said == ["otel-trading: redaction: '(' is not usable: unclosed group; the others hold"]
    assert any("'(' is not usable" in problem for problem in telemetry.status().problems)
    assert ot.redact("ACC-123456") == "[redacted:pattern]"


def test_it_can_be_turned_off(configured: Configure, receiver: OtlpReceiver) -> None:
    """Then texts go out as they are."""
    telemetry = configured(redaction=False)
    telemetry.tracer.start_span("password=hunter2").end()
    telemetry.flush(5)
    assert [span.name for span in receiver.spans] == ["password=hunter2"]


def test_names_are_masked_by_the_rules_in_force(configured: Configure, receiver: OtlpReceiver) -> None:
    """A name that was written before the rules changed is written anew."""
    name = "for ACC-654321"
    for patterns, seen in (((), name), (["ACC-[0-9]{6}"], "for [redacted:pattern]"), ((), name)):
        telemetry = configured(redaction_patterns=patterns)
        telemetry.tracer.start_span(name).end()
        telemetry.flush(5)
        assert receiver.spans[-1].name == seen


def test_lists_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    """Patterns may have commas: one stands on a line, or all in JSON."""

    def of(variables: dict[str, str]) -> Any:
        return resolve({}, variables=variables, folder=tmp_path).settings

    assert list(of({"OTEL_TRADING_REDACTION_PATTERNS": "A{1,2}\nB"}).redaction_patterns) == ["A{1,2}", "B"]
    assert list(of({"OTEL_TRADING_REDACTION_PATTERNS": '["A{1,2}", "B"]'}).redaction_patterns) == ["A{1,2}", "B"]
    assert list(of({"OTEL_TRADING_REDACTION_PATTERNS": "[ab]{4}"}).redaction_patterns) == ["[ab]{4}"]
    assert list(of({"OTEL_TRADING_REDACTION_KEYS": "desk, pin"}).redaction_keys) == ["desk", "pin"]
    (tmp_path / "otel-trading.toml").write_text('redaction_patterns = ["A{1,2}"]\nredaction_keys = ["desk"]\n')
    assert list(of({}).redaction_patterns) == ["A{1,2}"]
    assert list(of({}).redaction_keys) == ["desk"]


def test_messages_about_settings_hold_no_secret() -> None:
    """Not the value that is wrong, and not the one that is used instead."""
    problem = Problem("endpoint", "ftp://me:hunter2@host", "an URL", "http://me:hunter3@host", "argument")
    assert "hunter" not in str(problem)


def test_the_options_are_shown_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a table and as JSON."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTEL_TRADING_ENDPOINT", "http://me:hunter2@127.0.0.1:4318")
    monkeypatch.setenv("OTEL_TRADING_DATABASE", "postgresql://me:hunter2@db/x")
    monkeypatch.setenv("OTEL_TRADING_RESOURCE_ATTRIBUTES", "api_key=hunter2abc")
    for options in ([], ["--json"]):
        result = CliRunner(env={"COLUMNS": "200"}).invoke(commands.cli, ["config", "show", *options])
        assert result.exit_code == 0
        assert "hunter2" not in result.output
        assert "redacted" in result.output


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_processors_of_others_see_no_secret(configured: Configure, engine: str) -> None:
    """What they are handed when a span ends, or a record is logged, is masked already."""
    seen = InMemorySpanExporter()
    telemetry = configured(engine=engine)
    telemetry.tracer_provider.add_span_processor(SimpleSpanProcessor(seen))
    with telemetry.tracer.start_as_current_span("password=hunter2", attributes={"secret": "hunter2"}) as span:
        span.record_exception(ValueError("token=hunter2abc456def"))
        span.add_event("password=hunter2")
    (finished,) = seen.get_finished_spans()
    assert "hunter2" not in json.dumps(json.loads(finished.to_json()))
    assert "[redacted:password]" in finished.name


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_series_that_differ_in_a_secret_alone_are_one(
    configured: Configure, receiver: OtlpReceiver, engine: str
) -> None:
    """There is no second series of the same name and attributes."""
    telemetry = configured(engine=engine)
    counter = telemetry.meter.create_counter("bot.calls")
    for number in range(3):
        counter.add(1, {"api_key": f"key-{number}", "venue": "binance"})
    telemetry.flush(5)
    points = [point for metric in receiver.metrics("bot.calls") for point in metric.sum.data_points]
    assert [point.as_int or point.as_double for point in points] == [3]


def test_a_log_record_is_printed_without_secrets() -> None:
    """Where nobody else prints the bot's records; the record itself is as it was."""
    record = logging.LogRecord("bot", logging.ERROR, "bot.py", 1, "password=%s", ("hunter2",), None)
    printed = redaction.printed(record)
    assert printed.getMessage() == "password=[redacted:password]"
    assert record.getMessage() == "password=hunter2"
    broken = logging.LogRecord("bot", logging.ERROR, "bot.py", 1, "%d", ("x",), None)
    assert redaction.printed(broken) is broken
