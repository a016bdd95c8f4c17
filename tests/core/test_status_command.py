"""``otel-trading status``, of a bot that runs in this process."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from click.testing import CliRunner

from otel_trading.cli.commands import cli
from tests.core.test_delivery import wait_until

if TYPE_CHECKING:
    import pytest
    from click.testing import Result

    from tests.core.conftest import Configure
    from tests.core.otlp_receiver import OtlpReceiver


def status(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["status", *arguments], env={"COLUMNS": "120"})


def test_what_was_sent(configured: Configure, receiver: OtlpReceiver) -> None:
    """Each signal in a line; the exit status is 0."""
    handle = configured()
    assert handle.ops is not None
    handle.tracer.start_span("tick").end()
    logging.getLogger("bot").warning("hello")
    assert handle.flush(10)
    told = status("--url", handle.ops.url)
    assert told.exit_code == 0, told.output
    lines = told.output.splitlines()
    assert lines[0].split(" · ")[0] == "test-bot"
    row = next(line.split() for line in lines if line.startswith("traces "))
    assert row == ["traces", "1", "0", "0", "0", "0", "0"]
    assert f"logs to {receiver.url}/v1/logs" in lines


def test_what_waits_and_why(configured: Configure, receiver: OtlpReceiver) -> None:
    """The spool says how much and since when, the signal what the receiver said."""
    receiver.status = 503
    handle = configured()
    assert handle.ops is not None
    handle.tracer.start_span("tick").end()
    handle.flush(0.5)
    wait_until(lambda: handle.status().signals["traces"].spooled == 1)
    found = json.loads(status("--url", handle.ops.url, "--json").output)
    assert found["signals"]["traces"]["spooled"] == 1
    assert found["spool"]["disk_bytes"] > 0
    assert found["spool"]["age"] > 0
    told = status("--url", handle.ops.url).output
    assert f"traces to {receiver.url}/v1/traces: HTTP status 503" in told
    assert "the oldest for" in told
    receiver.status = 200


def test_a_loss_is_an_exit_status(configured: Configure, receiver: OtlpReceiver) -> None:
    """So that a script notices."""
    receiver.status = 400
    handle = configured(metrics_exporter="none")
    assert handle.ops is not None
    handle.tracer.start_span("tick").end()
    handle.flush(5)
    told = status("--url", handle.ops.url)
    assert told.exit_code == 1
    assert "1 refused" in told.output


def test_nobody_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """One clear message, with the address that was tried."""
    monkeypatch.setenv("OTEL_TRADING_OPS_PORT", "1")
    told = status()
    assert told.exit_code == 3
    assert "no bot answers at http://127.0.0.1:1" in told.output
