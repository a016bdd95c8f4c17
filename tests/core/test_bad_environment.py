"""The table of wrong configuration, in bots that are started by ``configure()`` and by ``opentelemetry-instrument``.

Whatever the environment says the bot starts, and there is one line that says which variable it was, its value, what is
allowed and what holds instead; and that does hold. What wrong values cost is in ``test_bad_values``.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.core.otlp_receiver import OtlpReceiver

Bot = Callable[..., subprocess.CompletedProcess[str]]

WORK = """
import logging
from opentelemetry import metrics, trace
metrics.get_meter("bot").create_counter("bot.frames").add(1)
with trace.get_tracer("bot").start_as_current_span("tick"):
    logging.getLogger("bot").error("hello")
print("the bot ran to its end")
"""
BOTS = {
    "configure": ("import otel_trading as ot\not.configure()\n" + WORK, ()),
    "instrument": (WORK, (str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable)),
}

UNUSABLE = [
    ("OTEL_BSP_SCHEDULE_DELAY", "abc"),
    ("OTEL_BSP_SCHEDULE_DELAY", "5s"),
    ("OTEL_BSP_SCHEDULE_DELAY", "-5"),
    ("OTEL_BSP_SCHEDULE_DELAY", "0"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
    ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "many"),
    ("OTEL_BLRP_SCHEDULE_DELAY", "abc"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ("OTEL_METRIC_EXPORT_INTERVAL", "abc"),
    ("OTEL_METRICS_EXEMPLAR_FILTER", "typo"),
    ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1"),
    ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "abc"),
    ("OTEL_PROPAGATORS", "typo"),
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "abc"),
    ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "-1"),
    ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
    ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "garbage"),
    ("OTEL_EXPORTER_OTLP_INSECURE", "maybe"),
    ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "typo"),
    ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "typo"),
    ("OTEL_RESOURCE_ATTRIBUTES", "garbage"),
    ("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "typo"),
    ("OTEL_TRACES_SAMPLER", "typo"),
    ("OTEL_TRACES_EXPORTER", "typo"),
    ("OTEL_METRICS_EXPORTER", "typo"),
    ("OTEL_LOGS_EXPORTER", "typo"),
    ("OTEL_PYTHON_ID_GENERATOR", "typo"),
    ("OTEL_PYTHON_CONTEXT", "typo"),
    ("OTEL_PYTHON_TRACER_CONFIGURATOR", "typo"),
    ("OTEL_SDK_DISABLED", "maybe"),
    ("OTEL_TRADING_OPS_PORT", "70000"),
    ("OTEL_TRADING_EXIT_SIGNALS", "maybe"),
]
SECRET = {"OTEL_EXPORTER_OTLP_HEADERS"}
TOO_EARLY = {"OTEL_PROPAGATORS", "OTEL_PYTHON_CONTEXT"}
"""The command itself reads these, and ends by the first, before it looks for us."""
SILENCED = {"OTEL_TRACES_EXPORTER": "tick", "OTEL_METRICS_EXPORTER": "frames", "OTEL_LOGS_EXPORTER": "hello"}
"""Where a signal's own exporter is not there, that signal goes nowhere."""


def complaints(run: subprocess.CompletedProcess[str]) -> list[str]:
    """What was said about the configuration, with nothing else that reads like a defect."""
    assert (run.returncode, run.stdout) == (0, "the bot ran to its end\n"), run.stderr
    assert "Traceback" not in run.stderr
    assert "rror:" not in run.stderr
    return [line for line in run.stderr.splitlines() if line.startswith("otel-trading: ") and "deliver" not in line]


def arrived(receiver: OtlpReceiver) -> set[str]:
    """What of the bot's work there is."""
    found = {span.name for span in receiver.spans} | {record.body.string_value for record in receiver.logs}
    return found | ({"frames"} if receiver.metrics("bot.frames") else set())


def names(line: str, variable: str, value: str) -> bool:
    """Whether a line says all there is to say about a variable."""
    shown = "'****'" if variable in SECRET else f"'{value}'"
    parts = (f"={shown} (", ") is not usable; allowed: ", "; using ")
    option = variable.removeprefix("OTEL_").lower()
    return all(part in line for part in parts) and (f" {variable}=" in line or f" {option}=" in line)


def waves() -> list[dict[str, str]]:
    """The rows in as few environments as they fit in, the exporters one by one."""
    found: list[dict[str, str]] = [{variable: value} for variable, value in UNUSABLE if variable in SILENCED]
    for variable, value in UNUSABLE:
        if variable not in SILENCED:
            wave = next((each for each in found[len(SILENCED) :] if variable not in each), None)
            if wave is None:
                found.append(wave := {})
            wave[variable] = value
    return found


@pytest.mark.parametrize("how", BOTS)
@pytest.mark.parametrize("wrong", waves(), ids=lambda wrong: f"{len(wrong)} {next(iter(wrong))}")
def test_what_cannot_be_used(bot: Bot, receiver: OtlpReceiver, how: str, wrong: dict[str, str]) -> None:
    """One line a variable names it and the default; with that everything arrives."""
    source, command = BOTS[how]
    given = {variable: value for variable, value in wrong.items() if how != "instrument" or variable not in TOO_EARLY}
    run = bot(source, *command, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **given)
    lines = complaints(run)
    for variable, value in given.items():
        assert [names(line, variable, value) for line in lines].count(True) == 1, (variable, lines)
    assert len(lines) == len(given), lines
    silenced = {what for variable, what in SILENCED.items() if variable in wrong}
    assert arrived(receiver) == {"tick", "frames", "hello"} - silenced


@pytest.mark.parametrize("argument", ["abc", "5", "-1"])
def test_a_sampler_with_a_wrong_argument(bot: Bot, receiver: OtlpReceiver, argument: str) -> None:
    """It samples everything."""
    sampler = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": argument}
    run = bot(BOTS["configure"][0], OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **sampler)
    (line,) = complaints(run)
    assert "OTEL_TRACES_SAMPLER_ARG or argument) is not usable; allowed: a ratio from 0 to 1; using 1.0" in line
    assert f"'{argument}'" in line
    assert "tick" in arrived(receiver)


USABLE = [
    ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000"),
    ("OTEL_BSP_SCHEDULE_DELAY", "1.5"),
    ("OTEL_BSP_MAX_QUEUE_SIZE", "100"),
    ("OTEL_BSP_EXPORT_TIMEOUT", "1"),
    ("OTEL_BSP_SCHEDULE_DELAY", " "),
    ("OTEL_TRACES_SAMPLER", "Always_On"),
]
"""What stops the SDK, or means something else to it, and is well here."""


@pytest.mark.parametrize(("variable", "value"), USABLE)
def test_what_can_be_used_after_all(bot: Bot, receiver: OtlpReceiver, variable: str, value: str) -> None:
    """Not a word, and everything arrives."""
    run = bot(BOTS["configure"][0], OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **{variable: value})
    assert complaints(run) == []
    assert arrived(receiver) == {"tick", "frames", "hello"}


@pytest.mark.parametrize("how", BOTS)
@pytest.mark.parametrize("value", ["true", "1", "on"])
def test_disabled_in_every_spelling(bot: Bot, receiver: OtlpReceiver, how: str, value: str) -> None:
    """Nothing is sent, and that is what was asked for."""
    source, command = BOTS[how]
    run = bot(source, *command, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, OTEL_SDK_DISABLED=value)
    assert complaints(run) == []
    assert receiver.requests == []


@pytest.mark.parametrize(("how", "protocol"), [("configure", "http/protobuf"), ("instrument", "grpc")])
@pytest.mark.parametrize("endpoint", ["not a url", "htp://127.0.0.1:4318", "http://127.0.0.1:99999", "::::", "http://"])
def test_an_endpoint_that_is_none(bot: Bot, how: str, endpoint: str, protocol: str) -> None:
    """One line, and the default is the one that is tried."""
    source, command = BOTS[how]
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_TRADING_SHUTDOWN_TIMEOUT": "1"}
    run = bot(source, *command, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, **variables)
    (line,) = complaints(run)
    assert f"OTEL_EXPORTER_OTLP_ENDPOINT='{endpoint}' (environment) is not usable; allowed: " in line
    assert "using http://127.0.0.1:4318" in line


def test_an_endpoint_without_a_scheme(bot: Bot, receiver: OtlpReceiver) -> None:
    """It is taken as http."""
    run = bot(BOTS["configure"][0], OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url.removeprefix("http://"))
    assert complaints(run) == []
    assert arrived(receiver) == {"tick", "frames", "hello"}


def test_an_endpoint_of_the_other_protocol(bot: Bot, receiver: OtlpReceiver) -> None:
    """A port that speaks HTTP is sent gRPC: the bot ends in time, and hears that nothing arrives."""
    variables = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_TRADING_SHUTDOWN_TIMEOUT": "2"}
    run = bot(BOTS["configure"][0], OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **variables)
    assert (run.returncode, run.stdout) == (0, "the bot ran to its end\n"), run.stderr
    assert "Traceback" not in run.stderr
    assert receiver.requests == []


@pytest.mark.parametrize("how", BOTS)
@pytest.mark.parametrize(("variable", "value"), [("OTEL_CONFIG_FILE", "no.yaml"), ("OTEL_TRADING_CONFIG", "no.toml")])
def test_a_file_that_is_not_there(bot: Bot, receiver: OtlpReceiver, how: str, variable: str, value: str) -> None:
    """One line names it; the other options hold."""
    source, command = BOTS[how]
    run = bot(source, *command, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **{variable: value})
    (line,) = complaints(run)
    assert value in line
    assert arrived(receiver) == {"tick", "frames", "hello"}


@pytest.mark.parametrize("name", ["OTEL_TRADING_INSTRUMENT", "OTEL_TRADING_OPS_PROT"])
def test_names_nobody_knows(bot: Bot, receiver: OtlpReceiver, name: str) -> None:
    """A library to instrument, or a variable: one line."""
    run = bot(BOTS["configure"][0], OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **{name: "typo"})
    (line,) = complaints(run)
    assert "typo" in line or name in line
    assert arrived(receiver) == {"tick", "frames", "hello"}
