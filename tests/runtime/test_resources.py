from __future__ import annotations

import os
import shutil
import socket
import sys
from contextlib import ExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from opentelemetry.metrics import NoOpMeter

from otel_trading.runtime.disk import DiskSampler
from otel_trading.runtime.process import ProcessSampler, usable_cpus
from otel_trading.runtime.system import SystemSampler
from otel_trading.runtime.thresholds import Thresholds
from otel_trading.runtime.troubles import Troubles
from tests.runtime.conftest import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from otel_trading.runtime.readings import Observations
    from tests.runtime.conftest import Captured, Start


@pytest.fixture
def troubles() -> Troubles:
    return Troubles(NoOpMeter("test"))


@pytest.fixture
def thresholds(troubles: Troubles) -> Thresholds:
    return Thresholds(NoOpMeter("test"), troubles)


def values(observations: Observations, attribute: str) -> dict[Any, float]:
    return {(each.attributes or {})[attribute]: each.value for each in observations}


def test_own_process_is_what_psutil_and_the_kernel_say(thresholds: Thresholds) -> None:
    """Memory, threads, descriptors and context switches of this very process."""
    sampler, process = ProcessSampler(psutil, thresholds), psutil.Process()
    memory, known = sampler.memory(), process.memory_info()
    assert memory["process.memory.usage"][0].value == pytest.approx(known.rss, rel=0.2)
    assert memory["process.memory.virtual"][0].value == pytest.approx(known.vms, rel=0.2)
    assert sampler.threads()["process.thread.count"][0].value == process.num_threads()
    assert sampler.descriptors()["process.open_file_descriptor.count"][0].value == process.num_fds()
    before = process.num_ctx_switches().voluntary
    switches = values(sampler.context_switches()["process.context_switches"], "process.context_switch.type")
    assert switches["voluntary"] >= before
    assert set(switches) == {"voluntary", "involuntary"}


def test_descriptors_follow_what_is_open(thresholds: Thresholds) -> None:
    """Twenty more sockets are twenty more descriptors."""
    sampler = ProcessSampler(psutil, thresholds)
    before = sampler.descriptors()["process.open_file_descriptor.count"][0].value
    with ExitStack() as opened:
        for _ in range(20):
            opened.enter_context(socket.socket())
        assert sampler.descriptors()["process.open_file_descriptor.count"][0].value == before + 20


def test_sockets_and_files_are_told_apart(thresholds: Thresholds, tmp_path: Path) -> None:
    """Three more sockets and two more files; where there are very many descriptors nobody looks at each."""
    sampler = ProcessSampler(psutil, thresholds)

    def count() -> tuple[float, float]:
        found = sampler.descriptors()
        return found["process.socket.count"][0].value, found["process.open_file.count"][0].value

    sockets, files = count()
    with ExitStack() as opened:
        for number in range(3):
            opened.enter_context(socket.socket())
            if number:
                opened.enter_context((tmp_path / f"{number}").open("w"))
        assert count() == (sockets + 3, files + 2)
    stub = SimpleNamespace(Process=lambda: SimpleNamespace(num_fds=lambda: 100_000))
    assert list(ProcessSampler(stub, thresholds).descriptors()) == ["process.open_file_descriptor.count"]


def test_cpu_share_is_of_the_time_between_two_samples(thresholds: Thresholds) -> None:
    """The first sample has no share; each other one has what was used since the last, of the CPUs that may be used."""
    now, used = 100.0, SimpleNamespace(user=7.0, system=1.0)
    stub = SimpleNamespace(Process=lambda: SimpleNamespace(cpu_times=lambda: used))
    sampler = ProcessSampler(stub, thresholds, clock=lambda: now)
    assert values(sampler.cpu()["process.cpu.time"], "cpu.mode") == {"user": 7.0, "system": 1.0}
    assert "process.cpu.utilization" not in sampler.cpu()
    now, used = 104.0, SimpleNamespace(user=9.0, system=1.5)
    share = values(sampler.cpu()["process.cpu.utilization"], "cpu.mode")
    cpus = usable_cpus()
    assert share == {"user": pytest.approx(2.0 / 4 / cpus), "system": pytest.approx(0.5 / 4 / cpus)}


def test_burst_of_cpu_is_no_trouble_and_a_minute_is(thresholds: Thresholds) -> None:
    """The threshold is compared with the mean of the last minute, once there is one."""
    now, used = 0.0, 0.0
    times = SimpleNamespace(cpu_times=lambda: SimpleNamespace(user=used, system=0.0))
    sampler = ProcessSampler(SimpleNamespace(Process=lambda: times), thresholds, clock=lambda: now)
    thresholds.set("process.cpu", 0.9)
    exceeded = []
    for share in (*[1.0] * 6, *[0.5] * 12, *[1.0] * 12):
        sampler.cpu()
        exceeded.append(bool(thresholds.exceeded()))
        now, used = now + 5, used + 5 * share
    assert not any(exceeded[:27])
    sampler.cpu()
    assert thresholds.exceeded() == (("process.cpu", ""),)


def test_cpu_time_is_the_kernels(thresholds: Thresholds) -> None:
    """CPU seconds lie between what the process had used before and after the sample."""
    sampler = ProcessSampler(psutil, thresholds)
    tick = 1 / os.sysconf("SC_CLK_TCK")
    before = sum(os.times()[:2])
    total = sum(each.value for each in sampler.cpu()["process.cpu.time"])
    assert before - 2 * tick <= total <= sum(os.times()[:2]) + 2 * tick


def test_states_of_memory_add_up(thresholds: Thresholds) -> None:
    """Used, free, buffers and cached are all the memory there is, and the shares add up to one."""
    readings = SystemSampler(psutil, thresholds).memory()
    total = psutil.virtual_memory().total
    states = values(readings["system.memory.usage"], "system.memory.state")
    assert set(states) == {"used", "free", "buffers", "cached"}
    assert sum(states.values()) == total == readings["system.memory.limit"][0].value
    assert sum(each.value for each in readings["system.memory.utilization"]) == pytest.approx(1)
    assert 0 < readings["system.memory.linux.available"][0].value < total


def test_shares_of_the_machines_cpus_add_up(thresholds: Thresholds) -> None:
    """After a first sample, which has nothing to compare with, the modes share the time since the last."""
    samples = iter(
        [SimpleNamespace(user=10.0, system=5.0, idle=100.0), SimpleNamespace(user=13.0, system=6.0, idle=96)]
    )
    stub = SimpleNamespace(cpu_times=lambda: next(samples))
    sampler = SystemSampler(stub, thresholds)
    assert sampler.cpu() == {}
    share = values(sampler.cpu()["system.cpu.utilization"], "cpu.mode")
    assert (share["user"], share["system"], share["idle"]) == (0.75, 0.25, 0)
    real = SystemSampler(psutil, thresholds)
    real.cpu()
    assert eventually(lambda: sum(each.value for each in real.cpu().get("system.cpu.utilization", ())) > 0.99)


def test_network_load_and_connections_are_the_kernels(thresholds: Thresholds) -> None:
    """Interfaces that lead out of the machine by direction, three load averages, sockets by transport."""
    sampler = SystemSampler(psutil, thresholds)
    interfaces = {(each.attributes or {})["network.interface.name"] for each in sampler.network()["system.network.io"]}
    assert "lo" not in interfaces
    assert interfaces <= set(psutil.net_io_counters(pernic=True))
    assert [*sampler.load()] == [f"system.cpu.load_average.{span}" for span in ("1m", "5m", "15m")]
    with ExitStack() as opened:
        for _ in range(50):
            opened.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind(("127.0.0.1", 0))
            opened.enter_context(socket.create_server(("127.0.0.1", 0)))
        counts = values(sampler.connections()["system.network.connection.count"], "network.transport")
    assert counts["tcp"] >= 50
    assert counts["udp"] >= 50


def test_traffic_is_read_by_direction(thresholds: Thresholds) -> None:
    """Bytes received and sent of each interface; what stays inside is left out."""
    counters = {name: SimpleNamespace(bytes_recv=7, bytes_sent=3) for name in ("lo", "eth0", "veth12", "docker0")}
    stub = SimpleNamespace(net_io_counters=lambda **_: counters)
    observations = SystemSampler(stub, thresholds).network()["system.network.io"]
    assert values(observations, "network.io.direction") == {"receive": 7, "transmit": 3}
    assert {(each.attributes or {})["network.interface.name"] for each in observations} == {"eth0"}


def test_space_is_the_file_systems(thresholds: Thresholds, troubles: Troubles, tmp_path: Path) -> None:
    """Two paths on one file system are one reading, with its states and the share that df shows."""
    sampler = DiskSampler(psutil, (str(tmp_path), str(tmp_path / "..")), thresholds, troubles)
    readings = sampler.space()
    states = values(readings["system.filesystem.usage"], "system.filesystem.state")
    known = psutil.disk_usage(str(tmp_path))
    assert sum(states.values()) == pytest.approx(known.total, rel=0.01)
    assert states["free"] == pytest.approx(known.free, rel=0.1)
    (utilization,) = readings["system.filesystem.utilization"]
    assert utilization.value == pytest.approx(known.percent / 100, abs=0.01)
    assert (utilization.attributes or {})["system.filesystem.mountpoint"] in {
        mount.mountpoint for mount in psutil.disk_partitions(all=True)
    }


def test_path_that_vanished_costs_only_itself(
    thresholds: Thresholds, troubles: Troubles, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is counted each time and said once; the other paths are read on."""
    gone = tmp_path / "journal"
    gone.mkdir()
    mounts = [SimpleNamespace(mountpoint=str(place), device="disk", fstype="ext4") for place in ("/", gone)]
    stub = SimpleNamespace(disk_partitions=lambda **_: mounts, disk_usage=psutil.disk_usage)
    sampler = DiskSampler(stub, (str(gone), "/"), thresholds, troubles)
    assert len(sampler.space()["system.filesystem.utilization"]) == 2
    shutil.rmtree(gone)
    for _ in range(2):
        (left,) = sampler.space()["system.filesystem.utilization"]
        assert (left.attributes or {})["system.filesystem.mountpoint"] == "/"
    assert troubles.total == 2
    assert sum(str(gone) in line for line in caplog.messages) == 1


def test_network_file_system_is_never_asked(thresholds: Thresholds, troubles: Troubles) -> None:
    """One that does not answer would stop all measuring, so it is refused by its kind."""

    def never(_: str) -> None:
        raise AssertionError

    mounts = [SimpleNamespace(mountpoint="/mnt/share", device="server:/share", fstype="nfs4")]
    stub = SimpleNamespace(disk_partitions=lambda **_: mounts, disk_usage=never)
    sampler = DiskSampler(stub, ("/mnt/share/journal",), thresholds, troubles)
    assert sampler.space()["system.filesystem.utilization"] == ()
    assert troubles.total == 1


def test_scrape_reads_numbers_only(captured: Captured, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Collecting asks neither psutil nor the kernel: the runtime thread did before."""
    start(process=True, system=True, interval=3600, disk_interval=3600)
    assert eventually(lambda: captured.points("system.filesystem.utilization"))

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    for name in ("cpu_times", "virtual_memory", "net_io_counters", "disk_usage", "disk_partitions"):
        monkeypatch.setattr(psutil, name, never)
    monkeypatch.setattr(psutil.Process, "memory_info", never)
    assert captured.total("process.memory.usage") > 1e6
    assert captured.total("process.thread.count") >= 2
    assert captured.total("system.memory.usage") == captured.total("system.memory.limit")
    assert captured.points("process.cpu.utilization") == []


def test_what_cannot_be_read_is_counted_said_once_and_not_shown(
    captured: Captured, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A container may forbid one thing: its old values are not repeated, and all else is measured on."""
    runtime = start(process=True, system=True)
    assert eventually(lambda: captured.points("system.memory.usage"))

    def forbidden() -> None:
        raise PermissionError("not in this container")

    monkeypatch.setattr(psutil, "virtual_memory", forbidden)
    assert eventually(lambda: runtime.errors >= 3)
    assert captured.points("system.memory.usage") == []
    assert captured.points("system.network.io") is not None
    assert captured.total("process.memory.usage") > 1e6
    assert captured.by("trading.runtime.errors", "trading.runtime.component")["system.memory"] >= 3
    assert sum("system.memory cannot be measured: PermissionError" in line for line in caplog.messages) == 1
    monkeypatch.undo()
    assert eventually(lambda: captured.points("system.memory.usage"))


def test_without_psutil_the_rest_works(
    captured: Captured, start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says what to install, and collections are measured all the same."""
    monkeypatch.setitem(sys.modules, "psutil", None)
    start(process=True, system=True, gc=True)
    assert eventually(lambda: any("pip install psutil" in line for line in caplog.messages))
    assert captured.points("cpython.gc.collections")
    assert captured.points("process.memory.usage") == []
    assert sum("psutil" in line for line in caplog.messages) == 1
