from __future__ import annotations

import itertools
import json
import logging
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from otel_trading.export.json_dump import JsonDump
from otel_trading.export.json_metrics import render
from otel_trading.export.ledger import Ledger
from otel_trading.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def dumping() -> Iterator[Callable[..., JsonDump]]:
    """Dumps on request only, closed at the end."""
    dumps: list[JsonDump] = []

    def start(path: Path, render: Callable[[], bytes] = lambda: b"{}", **options: Any) -> JsonDump:
        dumps.append(JsonDump(render, path, Ledger("json"), **{"interval": 600.0, **options}))
        return dumps[-1]

    yield start
    for dump in dumps:
        dump.request_close(time.monotonic() + 5)
        dump.wait_closed()


def flush(dump: JsonDump) -> bool:
    return dump.wait_flushed(dump.request_flush(), time.monotonic() + 10)


def test_a_dump_is_written_on_request(dumping: Callable[..., JsonDump], tmp_path: Path) -> None:
    """A flush writes the file, in a folder that is made, and nothing beside it."""
    dump = dumping(tmp_path / "dumps" / "metrics.json", lambda: b'{"metrics":[]}')
    assert flush(dump)
    assert dump.target.read_bytes() == b'{"metrics":[]}\n'
    assert list(dump.target.parent.iterdir()) == [dump.target]
    assert dump.ledger.account().sent == 1


def test_dumps_come_at_the_interval(dumping: Callable[..., JsonDump], tmp_path: Path) -> None:
    """Without a request the file is renewed again and again."""
    enough = threading.Event()
    numbers = itertools.count(1)

    def count() -> bytes:
        number = next(numbers)
        if number == 3:
            enough.set()
        return str(number).encode()

    dumping(tmp_path / "metrics.json", count, interval=0.01)
    assert enough.wait(10)


def test_the_last_dump_is_at_the_end(dumping: Callable[..., JsonDump], tmp_path: Path) -> None:
    """Closing writes once more and ends the thread."""
    dump = dumping(tmp_path / "metrics.json", lambda: b"last")
    dump.request_close(time.monotonic() + 10)
    assert dump.wait_closed()
    assert dump.target.read_bytes() == b"last\n"
    assert "otel-json-dump" not in {thread.name for thread in threading.enumerate()}


def test_readers_never_see_half_a_dump(dumping: Callable[..., JsonDump], tmp_path: Path) -> None:
    """Whoever reads while dumps are written reads a whole one."""
    numbers = itertools.count(1)
    dump = dumping(tmp_path / "metrics.json", lambda: str(next(numbers) % 10).encode() * 1_000_000)
    assert flush(dump)
    ticket = 0
    for _ in range(20):
        ticket = dump.request_flush()
        content = dump.target.read_bytes()
        assert len(content) == 1_000_001
        assert len(set(content)) == 2
    assert dump.wait_flushed(ticket, time.monotonic() + 10)


def test_the_newest_dumps_are_kept(dumping: Callable[..., JsonDump], tmp_path: Path) -> None:
    """With keep=2 there are the present file and the two newest under their time; foreign files stay."""
    foreign = [tmp_path / name for name in ("metrics-backup.json", "metrics-20250102.json", "other.json")]
    for path in foreign:
        path.write_text("mine")
    numbers, seconds = itertools.count(1), itertools.count(1_735_787_045)
    dump = dumping(tmp_path / "metrics.json", lambda: str(next(numbers)).encode(), keep=2, now=lambda: next(seconds))
    for _ in range(4):
        assert flush(dump)
    assert [path.name for path in dump.retained()] == [
        "metrics-20250102T030407.000000Z.json",
        "metrics-20250102T030408.000000Z.json",
    ]
    assert [path.read_text() for path in [*dump.retained(), dump.target]] == ["3\n", "4\n", "4\n"]
    assert all(path.read_text() == "mine" for path in foreign)


def test_a_file_system_without_links_keeps_dumps_too(
    dumping: Callable[..., JsonDump], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a link is refused the dump is copied."""

    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    dump = dumping(tmp_path / "metrics.json", lambda: b"1", keep=1)
    assert flush(dump)
    assert [path.read_bytes() for path in dump.retained()] == [b"1\n"]


def test_a_bad_path_is_counted_and_said_once(
    dumping: Callable[..., JsonDump], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every dump that cannot be written counts, one message says why, and another that it works again."""
    obstacle = tmp_path / "dumps"
    obstacle.write_text("a file where a folder should be")
    with caplog.at_level(logging.WARNING, "otel_trading"):
        dump = dumping(obstacle / "metrics.json")
        assert not flush(dump)
        assert not flush(dump)
        obstacle.unlink()
        assert flush(dump)
    account = dump.ledger.account()
    assert (account.emitted, account.sent, account.dropped) == (3, 1, {"unwritable": 2})
    failed, again = [record.getMessage() for record in caplog.records]
    assert "cannot be written to" in failed
    assert failed.endswith("; the next dump is tried on time")
    assert again.endswith("metrics.json again")


def test_a_renderer_that_fails_is_counted_too(dumping: Callable[..., JsonDump], tmp_path: Path) -> None:
    """An exception while rendering costs this dump, not the thread, and leaves the last file."""
    answers: Iterator[bytes | Exception] = iter([b"1", ValueError("no metrics"), b"3"])

    def answer() -> bytes:
        given = next(answers)
        if isinstance(given, Exception):
            raise given
        return given

    dump = dumping(tmp_path / "metrics.json", answer)
    assert [flush(dump), flush(dump)] == [True, False]
    assert dump.target.read_bytes() == b"1\n"
    assert dump.ledger.account().last_error == "ValueError: no metrics"
    assert flush(dump)


FULL_DISK = """
import resource, sys, time
from pathlib import Path
from otel_trading.export.json_dump import JsonDump
from otel_trading.export.ledger import Ledger
contents = [b"1", b"2" * 1_000_000]
dump = JsonDump(lambda: contents.pop(0), Path(sys.argv[1]), Ledger("json"), interval=600)
first = dump.wait_flushed(dump.request_flush(), time.monotonic() + 10)
resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))
second = dump.wait_flushed(dump.request_flush(), time.monotonic() + 10)
print(first, second, dict(dump.ledger.account().dropped), dump.ledger.account().last_error)
"""


def test_a_full_disk_leaves_the_last_dump(tmp_path: Path) -> None:
    """When the system takes no more bytes the dump is counted as lost, and no half a file is left behind."""
    target = tmp_path / "metrics.json"
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(target)], capture_output=True, text=True, timeout=60, check=True
    )
    assert run.stdout.strip() == "True False {'unwritable': 1} File too large"
    assert target.read_bytes() == b"1\n"
    assert list(tmp_path.iterdir()) == [target]


FORK = """
import os, sys, time
from otel_trading.export.json_dump import JsonDump
from otel_trading.export.ledger import Ledger
dump = JsonDump(lambda: str(os.getpid()).encode(), sys.argv[1], Ledger("json"), interval=600)
child = os.fork()
if not child:
    dump.restart_in_child()
    dump.wait_flushed(dump.request_flush(), time.monotonic() + 10)
    dump.request_close(time.monotonic() + 10)
    os._exit(0 if dump.wait_closed() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), os.path.exists(sys.argv[1]))
dump.wait_flushed(dump.request_flush(), time.monotonic() + 10)
print(open(sys.argv[1]).read() == f"{os.getpid()}\\n")
"""


def test_a_forked_child_leaves_the_file_to_its_parent(tmp_path: Path) -> None:
    """The child's dump does nothing and hangs nowhere, the parent's goes on."""
    run = subprocess.run(
        [sys.executable, "-c", FORK, str(tmp_path / "metrics.json")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert run.stdout.split() == ["0", "False", "True"]


def test_metrics_are_rendered_as_documented() -> None:
    """Counters, gauges and histograms in the documented form; what JSON cannot hold is null."""
    with capture() as telemetry:
        meter = telemetry.meter
        meter.create_counter("bot.frames", "{frame}").add(3, {"venue": "binance", "levels": (1, 2)})
        meter.create_up_down_counter("trading.order.active").add(-1)
        decide = meter.create_histogram("bot.decide", "s")
        for value in (0.1, 0.2):
            decide.record(value)
        telemetry.advance(60.5)
        whole = json.loads(render(telemetry.metrics.data))
        end = telemetry.clock.time()
    assert whole["timestamp"] == end
    assert whole["resource"]["telemetry.sdk.language"] == "python"
    metrics = {metric["name"]: metric for metric in whole["metrics"]}
    assert metrics["bot.frames"] == {
        "name": "bot.frames",
        "unit": "{frame}",
        "kind": "counter",
        "scope": "otel_trading",
        "points": [{"attributes": {"venue": "binance", "levels": [1, 2]}, "value": 3}],
    }
    assert metrics["trading.order.active"]["kind"] == "up_down_counter"
    (point,) = metrics["bot.decide"]["points"]
    assert point == {
        "attributes": {},
        "count": 2,
        "sum": pytest.approx(0.3),
        "min": 0.1,
        "max": 0.2,
        "quantiles": {"p50": 0.1, "p95": 0.2, "p99": 0.2, "p999": 0.2},
    }
