from __future__ import annotations

from typing import TYPE_CHECKING

import psutil
import pytest
from opentelemetry.metrics import NoOpMeter

from otel_trading.runtime.cgroup import ContainerMemory, container_memory
from otel_trading.runtime.system import SystemSampler
from otel_trading.runtime.thresholds import Thresholds
from otel_trading.runtime.troubles import Troubles

if TYPE_CHECKING:
    from pathlib import Path


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, "ascii")


def belongs(tmp_path: Path, text: str) -> Path:
    membership = tmp_path / "cgroup"
    membership.write_text(text, "ascii")
    return membership


def test_version_2_takes_the_tightest_limit_above(tmp_path: Path) -> None:
    """The process's own group may have more than its parent: the parent's use counts against the parent's limit."""
    root = tmp_path / "fs"
    group(root)
    group(root / "bots", memory__max="1000\n", memory__current="600\n", memory__stat="anon 1\ninactive_file 100\n")
    group(root / "bots" / "basis", memory__max="5000\n", memory__current="50\n", memory__stat="inactive_file 5\n")
    group(root / "bots" / "basis" / "feed", memory__max="max\n", memory__current="5\n", memory__stat="")
    assert container_memory(root, belongs(tmp_path, "0::/bots/basis/feed\n")) == ContainerMemory(600, 500, 1000)


def test_version_1_is_read_where_it_has_the_memory_controller(tmp_path: Path) -> None:
    """Beside a version 2 hierarchy without controllers, the one with the controller counts."""
    root = tmp_path / "fs"
    group(
        root / "memory" / "bots",
        memory__limit_in_bytes="2000\n",
        memory__usage_in_bytes="900\n",
        memory__stat="inactive_file 1\ntotal_inactive_file 400\n",
    )
    group(root / "memory", memory__limit_in_bytes="9223372036854771712\n", memory__usage_in_bytes="5\n")
    membership = belongs(tmp_path, "4:cpu,memory:/bots\n0::/\n")
    assert container_memory(root, membership) == ContainerMemory(900, 500, 2000)


def test_path_of_the_host_leads_to_what_is_mounted(tmp_path: Path) -> None:
    """In a container the path may be the host's, which does not exist there."""
    root = tmp_path / "fs"
    group(root, memory__max="1000", memory__current="300", memory__stat="inactive_file 400")
    membership = belongs(tmp_path, "0::/docker/0123456789ab\n")
    assert container_memory(root, membership) == ContainerMemory(300, 0, 1000)


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_no_limit_is_no_reading(tmp_path: Path, limit: str) -> None:
    """Where nothing is limited, and where there are no cgroups at all, there is nothing to show."""
    root = tmp_path / "fs"
    group(root, memory__max=limit, memory__current="1", memory__stat="")
    assert container_memory(root, belongs(tmp_path, "0::/\n")) is None
    assert container_memory(root, tmp_path / "missing") is None
    assert container_memory(root, belongs(tmp_path, "1:name=systemd:/\n")) is None


def test_this_process_can_be_asked() -> None:
    """Whatever this machine has, reading it gives a sensible answer."""
    memory = container_memory()
    assert memory is None or 0 <= memory.working_set <= memory.usage


def test_container_near_its_limit_crosses_the_threshold() -> None:
    """The working set's share of the limit is compared, for that is what the kernel kills for."""
    meter = NoOpMeter("test")
    thresholds = Thresholds(meter, Troubles(meter))
    thresholds.set("container.memory", 0.9)
    sampler = SystemSampler(psutil, thresholds)
    readings = sampler.container(ContainerMemory(990, 850, 1000))
    assert {name: each[0].value for name, each in readings.items()} == {
        "container.memory.usage": 990,
        "container.memory.working_set": 850,
        "container.memory.available": 150,
    }
    assert thresholds.exceeded() == ()
    sampler.container(ContainerMemory(990, 950, 1000))
    assert thresholds.exceeded() == (("container.memory", ""),)
