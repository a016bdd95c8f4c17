"""Configuration files are read whole, or refused with the reason."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from otel_trading.settings import Settings, resolve
from otel_trading.settings.files import LARGEST, parsed
from otel_trading.settings.keys import KEYS
from otel_trading.settings.load import wrong_in

OPSQT = """
telemetry:
  metrics_enabled: false
  metrics_port: 9090
"""
METRICS = """
metrics:
  enabled: true
  sampling_rate: 0.5
  buffer_size: 65536
  aggregation_interval_ms: 250
  export_interval_s: 30
  export_enabled: false
  sla_thresholds:
    CANDLE_PROCESSING: 40ms
    SIGNAL_GENERATION: 0.01
"""


def bomb(levels: int = 12) -> str:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merged_bomb(levels: int = 12) -> str:
    lines = ["a0: &a0 {k: 1}"]
    lines += [f"a{n}: &a{n}\n  <<: [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("suffix", "content", "why"),
    [
        (".yaml", bomb(), "more than 100000 values"),
        (".yaml", merged_bomb(), "more than 100000 values"),
        (".yaml", "a: &a [*a]", "nested too deeply, or hold themselves"),
        (".yaml", "[" * 500_000 + "]" * 500_000, "nested too deeply"),
        (".yaml", "a: 1\nb: 2\na: 3", "a is there twice"),
        (".yaml", "a: .nan", "a is no number"),
        (".yaml", "a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        (".yaml", "- 1", "but a list"),
        (".json", "[" * 100_000, "nested too deeply"),
        (".json", '{"a": {"b": 1, "b": 2}}', "b is there twice"),
        (".json", '{"a": [NaN]}', "a is no number"),
        (".json", json.dumps({"a": [0] * 100_001}), "more than 100000 values"),
        (".json", '{"a": ' + "9" * 5_000 + "}", "Exceeds the limit"),
        (".toml", "a = nan", "a is no number"),
        (".toml", "a = 1\na = 2", "Cannot overwrite"),
        (".toml", "a = " + "[" * 5_000, "nested too deeply"),
        (".toml", "a." * 400_000 + "a = 1", "nested too deeply"),
        (".toml", b"a = '\xff'", "utf-8"),
        (".ini", "[a]", "allowed: .toml, .yaml, .yml, .json"),
    ],
)
def test_what_nobody_can_have_meant_is_refused_quickly(suffix: str, content: str | bytes, why: str) -> None:
    """Each in a sentence, and none by memory or time."""
    began = time.monotonic()
    with pytest.raises(ValueError, match=why):
        parsed(content.encode() if isinstance(content, str) else content, suffix)
    assert time.monotonic() - began < 20


def test_aliases_of_yaml_work() -> None:
    """Those of usual size, merged ones too; and a byte order mark is no part of a key."""
    text = "\ufeffbase: &base {size: 1}\nkraken:\n  <<: *base\n  fee: 2\n"
    assert parsed(text.encode(), ".yaml")["kraken"] == {"size": 1, "fee": 2}


def test_a_file_has_a_size(tmp_path: Path) -> None:
    """Beyond a mebibyte it is none."""
    path = tmp_path / "big.toml"
    path.write_bytes(b"#" * (LARGEST + 1))
    assert "larger than 1048576 bytes" in str(resolve({"config_file": path}, variables={}).problems[0])


def test_the_files_of_others_are_understood_as_they_are(tmp_path: Path) -> None:
    """Every key of the table, in the units they are written in."""
    path = tmp_path / "metrics.yaml"
    path.write_text(OPSQT + METRICS, "utf-8")
    resolved = resolve({"config_file": path}, variables={})
    assert resolved.problems == ()
    settings = resolved.settings
    found = {key: [getattr(settings, option) for option in KEYS[key].options] for key in KEYS}
    assert found == {
        "telemetry.metrics_enabled": [True],  # metrics.enabled comes later in the file
        "telemetry.metrics_port": [9090],
        "metrics.sampling_rate": [0.5],
        "metrics.buffer_size": [65_536],
        "metrics.aggregation_interval_ms": [0.25],
        "metrics.export_interval_s": [30.0, 30.0],
        "metrics.sla_thresholds": [{"candle_processing": "40ms", "signal_generation": "0.01s"}],
        "metrics.export_enabled": [False],
    }
    path.write_text(OPSQT, "utf-8")
    assert resolve({"config_file": path}, variables={}).settings.metrics_enabled is False


def test_a_wrong_value_is_told_by_the_key_that_the_file_has() -> None:
    """And as the file has it."""
    path = Path("metrics.yaml")
    told = wrong_in(path, b"metrics:\n  aggregation_interval_ms: -5\n  sampling_rat: 1\n")
    assert told == [
        "metrics_sampling_rat is no option (did you mean event_sampling_rate?)",
        "metrics.aggregation_interval_ms=-5 is not usable; allowed: a number above 0 (seconds)",
    ]


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Unknown names with the nearest one, values with what is allowed, secrets not."""
    content = b'ops_prot = 1\nlog_level = "LOUD"\nspan_delay = -1\nops_token = 5\n'
    assert sorted(wrong_in(Path("bot.toml"), content)) == [
        "log_level='LOUD' is not usable; allowed: DEBUG, INFO, WARNING, ERROR or CRITICAL",
        "ops_prot is no option (did you mean ops_port?)",
        "ops_token='****' is not usable; allowed: text",
        "span_delay=-1 is not usable; allowed: a number above 0 (seconds; the OTEL_ variable counts milliseconds)",
    ]


def test_the_bots_own_table_is_none_of_the_kits() -> None:
    """Whatever stands in it."""
    assert wrong_in(Path("bot.toml"), b"[bot.risk]\nmax_exposure = 5\n") == []


def test_every_option_says_whether_it_needs_a_restart() -> None:
    """Those that do are few and known."""
    from otel_trading.settings.options import metadata

    later = {name for name in Settings.model_fields if metadata(name)["restart"]}
    assert later >= {"engine", "cardinality_limit", "propagators", "exit_signals", "profile", "trade_execution"}
    assert "log_level" not in later
