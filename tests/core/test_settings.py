from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from otel_trading.configure import Options
from otel_trading.settings import Settings, resolve
from otel_trading.settings.options import PROFILES, metadata
from otel_trading.settings.sources import env_names
from otel_trading.settings.standard import CHECKS, unusable

if TYPE_CHECKING:
    from pathlib import Path


def test_argument_beats_environment_beats_file_beats_profile_beats_default(tmp_path: Path) -> None:
    """Each value comes from the strongest source that has it, and says so."""
    (tmp_path / "otel-trading.toml").write_text(
        'log_level = "ERROR"\nops_host = "::1"\nspan_delay = 3\ntimeout = 4\nprofile = "staging"\n', "utf-8"
    )
    resolved = resolve(
        {"timeout": 1.0},
        variables={"OTEL_EXPORTER_OTLP_TIMEOUT": "2000", "OTEL_BSP_SCHEDULE_DELAY": "2500"},
        folder=tmp_path,
    )
    settings = resolved.settings
    assert (settings.timeout, resolved.origins["timeout"]) == (1.0, "argument")
    assert (settings.span_delay, resolved.origins["span_delay"]) == (2.5, "environment OTEL_BSP_SCHEDULE_DELAY")
    assert (settings.log_level, resolved.origins["log_level"]) == ("ERROR", "file otel-trading.toml")
    assert (settings.trade_execution, resolved.origins["trade_execution"]) == (False, "profile staging")
    assert (settings.log_delay, resolved.origins["log_delay"]) == (1.0, "default")
    assert resolved.problems == ()


def test_own_variable_beats_the_standard_one() -> None:
    """OTEL_TRADING_<NAME> is read before the OTEL_ variable of the same meaning."""
    both = {"OTEL_TRADING_SERVICE_NAME": "ours", "OTEL_SERVICE_NAME": "standard"}
    assert resolve(variables=both).settings.service_name == "ours"


@pytest.mark.parametrize("suffix", ["toml", "json", "yaml"])
def test_files_of_every_format_say_the_same(tmp_path: Path, suffix: str) -> None:
    """TOML, JSON and YAML files are read alike, tables join to option names."""
    contents = {
        "toml": 'service-name = "maker"\n[ops]\nport = 9100\n[resource_attributes]\nteam = "arb"\n',
        "json": json.dumps({"service_name": "maker", "ops": {"port": 9100}, "resource_attributes": {"team": "arb"}}),
        "yaml": "service_name: maker\nops:\n  port: 9100\nresource_attributes:\n  team: arb\n",
    }
    (tmp_path / f"bot.{suffix}").write_text(contents[suffix], "utf-8")
    resolved = resolve({"config_file": tmp_path / f"bot.{suffix}"}, variables={})
    assert resolved.problems == ()
    assert resolved.settings.service_name == "maker"
    assert resolved.settings.ops_port == 9100
    assert resolved.settings.resource_attributes == {"team": "arb"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bad.toml", "service_name = "),
        ("bad.json", "{"),
        ("bad.yaml", "a: [1"),
        ("bad.ini", "[x]"),
        ("list.json", "[1]"),
    ],
)
def test_unreadable_file_is_one_message_and_no_more(tmp_path: Path, name: str, content: str) -> None:
    """A malformed file costs its values: one message names it, the defaults hold."""
    (tmp_path / name).write_text(content, "utf-8")
    resolved = resolve({"config_file": tmp_path / name}, variables={})
    assert [name in str(problem) for problem in resolved.problems] == [True]
    assert resolved.settings == resolve(variables={}, folder=tmp_path).settings


def test_missing_file_is_reported() -> None:
    """A file that was asked for and is not there is named."""
    resolved = resolve(variables={"OTEL_TRADING_CONFIG": "nowhere/otel.toml"})
    assert "nowhere/otel.toml cannot be read: there is no such file" in str(resolved.problems[0])


def test_unusable_value_falls_to_the_next_source(tmp_path: Path) -> None:
    """A bad argument gives way to the environment, a bad variable to the file."""
    (tmp_path / "otel-trading.toml").write_text("log_delay = 7\n", "utf-8")
    resolved = resolve(
        {"ops_port": 99_999},
        variables={"OTEL_TRADING_OPS_PORT": "9100", "OTEL_BLRP_SCHEDULE_DELAY": "abc"},
        folder=tmp_path,
    )
    assert (resolved.settings.ops_port, resolved.settings.log_delay) == (9100, 7.0)
    assert sorted(map(str, resolved.problems)) == [
        "OTEL_BLRP_SCHEDULE_DELAY='abc' (environment) is not usable; allowed: a number above 0 (seconds; the OTEL_ "
        "variable counts milliseconds); using 7.0",
        "ops_port=99999 (argument) is not usable; allowed: a port from 0 (any free one) to 65535; using 9100",
    ]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "not a url"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "htp://collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:99999"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "-5"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "garbage"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1.5"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "inf"),
        ("OTEL_PROPAGATORS", "typo"),
        ("OTEL_SDK_DISABLED", "maybe"),
        ("OTEL_TRADING_PROFILE", "prod"),
        ("OTEL_TRADING_LOG_LEVEL", "loud"),
        ("OTEL_TRADING_LOG_LEVELS", "venue.kraken=loud"),
        ("OTEL_TRADING_LOG_LEVELS", "=DEBUG"),
        ("OTEL_TRADING_LOG_LEVELS", "DEBUG"),
        ("OTEL_TRADING_LOG_FILE_LEVEL", "loud"),
        ("OTEL_TRADING_LOG_CONSOLE", "pretty"),
        ("OTEL_TRADING_LOG_CONSOLE_LEVEL", "10"),
        ("OTEL_TRADING_LOG_ROTATE_SIZE", "100MB"),
        ("OTEL_TRADING_LOG_ROTATE_SIZE", "1000"),
        ("OTEL_TRADING_LOG_ROTATE_DAILY", "midnight"),
        ("OTEL_TRADING_LOG_KEEP_FILES", "0"),
        ("OTEL_TRADING_LOG_KEEP_DAYS", "-1"),
        ("OTEL_TRADING_LOG_COMPRESS", "gzip"),
    ],
)
def test_every_unusable_variable_is_one_message_with_what_is_allowed(variable: str, value: str) -> None:
    """The message names the variable, the value, what is allowed and what is used; the default holds."""
    resolved = resolve(variables={variable: value})
    (problem,) = resolved.problems
    shown = "****" if "HEADERS" in variable else value
    assert str(problem).startswith(f"{variable}='{shown}' (environment) is not usable; allowed: ")
    assert resolved.settings == resolve(variables={}).settings


def test_unknown_names_get_a_hint() -> None:
    """A misspelt argument or variable is reported with the nearest option."""
    resolved = resolve({"servce_name": "x"}, variables={"OTEL_TRADING_OPS_PROT": "1"})
    assert [str(problem) for problem in resolved.problems] == [
        "argument servce_name is no option (did you mean service_name?); ignored",
        "environment variable OTEL_TRADING_OPS_PROT is no option (did you mean OTEL_TRADING_OPS_PORT?); ignored",
    ]


def test_secrets_are_never_shown() -> None:
    """Neither the settings nor a problem shows a secret."""
    resolved = resolve(
        {"ops_token": "t0ps3cret", "headers": 5},
        variables={"OTEL_EXPORTER_OTLP_TRACES_HEADERS": "s3cr3t"},
    )
    text = repr(resolved.settings) + "".join(map(str, resolved.problems))
    assert len(resolved.problems) == 2
    assert "t0ps3cret" not in text
    assert "s3cr3t" not in text


def test_levels_of_loggers_are_read_from_everywhere(tmp_path: Path) -> None:
    """Case does not matter; names keep their dots, also in a file."""
    (tmp_path / "otel-trading.toml").write_text('[log_levels]\n"venue.kraken" = "debug"\n', "utf-8")
    assert resolve(variables={}, folder=tmp_path).settings.log_levels == {"venue.kraken": "DEBUG"}
    from_environment = resolve(variables={"OTEL_TRADING_LOG_LEVELS": "venue.kraken=debug, risk=ERROR"})
    assert from_environment.settings.log_levels == {"venue.kraken": "DEBUG", "risk": "ERROR"}
    resolved = resolve({"log_levels": {"risk": "loud"}, "log_console": "JSON", "log_file": tmp_path}, variables={})
    assert (resolved.settings.log_levels, resolved.settings.log_console) == ({}, "json")
    assert (resolved.settings.log_file, len(resolved.problems)) == (str(tmp_path), 1)


def test_profiles_set_what_the_operations_handbook_lists() -> None:
    """Development logs at debug without metrics, only production executes trades."""
    assert {name: profile["log_level"] for name, profile in PROFILES.items()} == {
        "development": "DEBUG",
        "staging": "INFO",
        "production": "INFO",
    }
    assert not resolve({"profile": "development"}, variables={}).settings.metrics_enabled
    executes = {name: resolve({"profile": name}, variables={}).settings.trade_execution for name in PROFILES}
    assert executes == {"development": False, "staging": False, "production": True}


def test_configure_takes_every_option_and_nothing_else() -> None:
    """The typed keyword arguments are the table, plus the file to read."""
    assert set(Options.__annotations__) == set(Settings.model_fields) | {"config_file"}


def test_every_option_documents_itself() -> None:
    """Each row has a description, what is allowed, and its own variable first."""
    for name, field in Settings.model_fields.items():
        assert field.description
        assert metadata(name)["allowed"]
        assert env_names(name)[0][0] == f"OTEL_TRADING_{name.upper()}"


def test_variables_that_stop_the_sdk_are_found() -> None:
    """What raises in the SDK is named; good values and empty ones are not."""
    bad = dict.fromkeys(CHECKS, "typo-5")
    assert {problem.setting for problem in unusable(bad)} == set(CHECKS)
    assert unusable(dict.fromkeys(CHECKS, "")) == []
    assert unusable({"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "64"}) == []
