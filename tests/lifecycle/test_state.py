from __future__ import annotations

import datetime as dt
import resource
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from otel_trading.lifecycle import StateError, StateFile, exact
from tests.disks import mounted
from tests.environment import bare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.sampled_from([dt.UTC, None, dt.timezone(dt.timedelta(hours=-3, minutes=-30))])).map(
        lambda at: at.replace(fold=0)
    )
    | st.dates()
    | st.times().map(lambda at: at.replace(fold=0))
    | st.timedeltas()
    | st.binary()
    | st.uuids(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.sampled_from(["$decimal", "$dict", "$set"]), inner, max_size=4)
        | st.dictionaries(st.integers() | st.tuples(st.text(), st.integers()), inner, max_size=3)
        | st.sets(st.integers() | st.text(), max_size=3)
    ),
    max_leaves=12,
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(plain)
def test_what_is_written_comes_back_as_it_was(value: Any) -> None:
    """To the digit and the type."""
    read = exact.loads(exact.dumps(value))
    assert read == value
    assert repr(read) == repr(value) or isinstance(value, set) or "{" in repr(value)


@pytest.mark.parametrize("value", [object(), [print], {"a": {1: ...}}, 1j])
def test_what_cannot_be_written_is_named(value: Any, tmp_path: Path) -> None:
    """With its place; the state before holds."""
    state: StateFile[Any] = StateFile(tmp_path / "state.json")
    assert state.save({"cash": 1})
    with pytest.raises(StateError, match=r"state.* is a .*, which the state cannot hold; the one before holds"):
        state.keep_or_raise(value)
    assert not state.save(value)
    assert state.load() == {"cash": 1}


@dataclass
class Leg:
    symbol: str
    quantity: Decimal
    opened: dt.datetime


@dataclass
class Book:
    legs: list[Leg] = field(default_factory=list)
    by_symbol: dict[str, Decimal] = field(default_factory=dict)
    keys: tuple[int, ...] = ()


class Model(BaseModel):
    cash: Decimal
    at: dt.datetime
    run: UUID


NOW = dt.datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    "value",
    [
        Book([Leg("BTC/USDT", Decimal("0.10"), NOW)], {"BTC/USDT": Decimal("0.10")}, (1, 2)),
        Model(cash=Decimal("1.000"), at=NOW, run=UUID(int=7)),
    ],
)
def test_models_come_back_as_what_they_are(tmp_path: Path, value: Any) -> None:
    """Dataclasses and pydantic's."""
    assert StateFile(tmp_path / "state.json", type(value)).save(value)
    assert StateFile(tmp_path / "state.json", type(value)).load() == value


def test_older_states_are_kept(tmp_path: Path) -> None:
    """As many as asked for, the newest first; nothing else is left in the folder."""
    state: StateFile[int] = StateFile(tmp_path / "state.json", keep=2)
    for number in range(5):
        assert state.save(number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.json", "state.json.1", "state.json.2"]
    assert [StateFile(path, keep=1).load() for path in sorted(tmp_path.iterdir())] == [4, 3, 2]
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut": lambda content: content[:-3],
    "cut in its head": lambda content: content[:20],
    "one bit": lambda content: content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
    "zeros": lambda content: bytes(len(content)),
    "longer": lambda content: content + b"x",
    "other": lambda _: b'{"cash": 1}\n',
    "not text": lambda _: b"\xff\xfe" * 50,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_gives_way_to_the_one_before(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And it is said which is used and why."""
    state: StateFile[str] = StateFile(tmp_path / "state.json")
    state.save("old")
    state.save("new")
    state.path.write_bytes(DAMAGES[damage](state.path.read_bytes()))
    fresh: StateFile[str] = StateFile(tmp_path / "state.json")
    assert fresh.load("nothing") == "old"
    assert fresh.loaded is not None
    assert fresh.loaded.path.name == "state.json.1"
    assert "is used, from" in caplog.text
    assert fresh.save("newer")
    assert fresh.load() == "newer"


def test_any_cut_and_any_bit_is_noticed(tmp_path: Path) -> None:
    """Byte by byte: what is read is the state or nothing."""
    state: StateFile[Any] = StateFile(tmp_path / "state.json", keep=1)
    value = {"cash": Decimal("0.1"), "open": ["c-1"]}
    state.save(value)
    whole = state.path.read_bytes()
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :]):
            state.path.write_bytes(damaged)
            assert state.load("nothing") in (value, "nothing")
    head = whole.index(b"\n") + 1
    for at in range(head, len(whole)):
        state.path.write_bytes(whole[:at])
        assert state.load("nothing") == "nothing"


def test_without_an_intact_state_there_is_the_default(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Silently where there never was one."""
    state: StateFile[Any] = StateFile(tmp_path / "deep" / "state.json")
    assert state.load({"cash": 0}) == {"cash": 0}
    assert not caplog.text
    state.save({"cash": 1})
    state.path.write_text("{}")
    assert state.load() is None
    assert "there is no state that can be used" in caplog.text


def test_versions_are_upgraded(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """By the bot's function; without one, or from a newer version, the state is not used."""
    path = tmp_path / "state.json"
    StateFile[Any](path).save({"cash": 1})
    upgraded: StateFile[Any] = StateFile(path, version=3, upgrade=lambda old, version: {**old, "from": version})
    assert upgraded.load() == {"cash": 1, "from": 1}
    assert StateFile[Any](path, version=2).load("no") == "no"
    assert "version 1 is older than 2, and there is no upgrade" in caplog.text
    upgraded.save({"cash": 2})
    assert StateFile[Any](path, version=1).load("no") == {"cash": 1}
    assert "version 3 is newer than 1" in caplog.text


def test_a_full_disk_leaves_the_state_as_it_was(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said, nothing lies about, and when there is room it is saved again."""
    with mounted(tmp_path / "disk", "size=256k") as disk:
        state: StateFile[str] = StateFile(disk / "state.json")
        assert state.save("x" * 1_000)
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="No space"), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4_096))
        assert not state.save("y" * 50_000)
        assert "No space left on device; the one before holds" in caplog.text
        assert StateFile[str](disk / "state.json").load() == "x" * 1_000
        assert sorted(path.name for path in disk.iterdir()) == ["ballast", "state.json"]
        ballast.unlink()
        assert state.save("y" * 50_000)
        assert state.load() == "y" * 50_000


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """A limit in the middle of the file: the one before stays."""
    state: StateFile[str] = StateFile(tmp_path / "state.json")
    assert state.save("small")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        assert not state.save("x" * 50_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert state.load() == "small"
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_threads_save_one_after_the_other(tmp_path: Path) -> None:
    """Whoever comes last wins; each file is whole."""
    state: StateFile[list[int]] = StateFile(tmp_path / "state.json")
    threads = [threading.Thread(target=lambda n=n: [state.save([n] * 500) for _ in range(10)]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(state.load())) == 1
    assert state.loaded is not None
    assert state.loaded.generation == 40


SAVER = """
import sys
from otel_trading.lifecycle.state import StateFile
state = StateFile(sys.argv[1], keep=2)
number = state.load(0)
print("ready", number, flush=True)
while True:
    number += 1
    state.keep_or_raise(number)
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", range(6))
def test_kill_9_at_any_moment_costs_no_state(tmp_path: Path, seed: int) -> None:
    """What was said to be saved is there at the next start, or what came after it; never anything else."""
    script = tmp_path / "saver.py"
    script.write_text(SAVER)
    path = tmp_path / "states" / "state.json"
    last = 0
    for round_ in range(2):
        process = subprocess.Popen(
            [sys.executable, str(script), str(path)], stdout=subprocess.PIPE, text=True, env=bare()
        )
        assert process.stdout is not None
        assert process.stdout.readline().split()[0] == "ready"
        for _ in range(seed * 3 + round_ + 1):
            last = int(process.stdout.readline())
        process.kill()
        rest = process.stdout.read().split()
        last = int(rest[-1]) if rest and rest[-1].isdigit() else last
        process.wait()
        process.stdout.close()
        found = StateFile[int](path, keep=2).load()
        assert found in (last, last + 1)
    fresh: StateFile[int] = StateFile(path, keep=2)
    assert fresh.save(0)
    left = {each.name for each in path.parent.iterdir()}
    assert left <= {"state.json", "state.json.1", "state.json.2"}


def test_a_folder_that_cannot_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is said."""
    (tmp_path / "states").write_text("a file")
    assert not StateFile[int](tmp_path / "states" / "state.json").save(1)
    assert "Not a directory" in caplog.text or "File exists" in caplog.text
