from __future__ import annotations

import configparser
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.environment import bare
from tests.packaging.conftest import run

USE = """
import sys
import otel_trading as ot
from otel_trading import _native

telemetry = ot.configure(
    service_name="bot", ops_port=0, banner=False, metrics_exporter="none", traces_exporter="none", logs_exporter="none"
)
frames = telemetry.meter.create_counter("bot.frames")
frames.add(2, {"venue": "binance"})
frames.bind({"venue": "binance"}).add(1)
page = telemetry.render_metrics("")[0].decode()
print(_native.__file__)
print(*(line for line in page.splitlines() if line.startswith("bot_frames_total")))
"""


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    """The files in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel installed, and nothing else."""
    folder = tmp_path_factory.mktemp("site")
    run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, wheel)
    return folder


def test_it_has_one_native_core_and_no_sources(names: list[str]) -> None:
    """The library for this Python, its stub, both packages; neither tests nor Rust."""
    assert [name for name in names if name.endswith(".so")] == [
        f"otel_trading/_native{sysconfig.get_config_var('EXT_SUFFIX')}"
    ]
    assert {"otel_trading/_native.pyi", "otel_trading/py.typed", "otel_trading_pytest/__init__.py"} <= set(names)
    information = r"otel_trading-[^/]+\.dist-info/"
    assert not [name for name in names if not re.match(rf"otel_trading(_pytest)?/|{information}", name)]
    assert not [name for name in names if re.search(r"\.(rs|pyc|toml)$|/tests/|/native/Cargo", name)]


def test_it_has_the_files_of_the_backends(names: list[str], known_files: set[str]) -> None:
    """Who installed the wheel can start the Collector and what is behind it."""
    wanted = {name for name in known_files if name.startswith(("collector/", "grafana/")) or name == "compose.yaml"}
    wanted = {name for name in wanted if "/tests/" not in name}
    packed = {name.removeprefix("otel_trading/stack/_files/") for name in names if "/_files/" in name}
    assert packed == wanted


def test_it_has_all_of_the_packages(names: list[str], known_files: set[str]) -> None:
    """The live page's files, the stubs and the marker of types among them."""
    packages = {name for name in known_files if name.startswith(("otel_trading/", "otel_trading_pytest/"))}
    assert packages <= set(names)
    assert "otel_trading/ops/cockpit/page/index.html" in packages


def test_its_entry_points_exist(installed: Path) -> None:
    """The command, OpenTelemetry's automatic instrumentation and pytest find what they are told of."""
    (file,) = installed.glob("otel_trading-*.dist-info/entry_points.txt")
    told = configparser.ConfigParser()
    told.read(file, "utf-8")
    of_opentelemetry = {f"opentelemetry_{each}" for each in ("configurator", "distro", "instrumentor")}
    assert {"console_scripts", "pytest11"} | of_opentelemetry == set(told.sections())
    for section in told.sections():
        for target in told[section].values():
            module = installed.joinpath(*target.partition(":")[0].split("."))
            assert module.with_suffix(".py").is_file() or (module / "__init__.py").is_file(), target


def test_a_bot_records_and_collects_with_it(installed: Path, tmp_path: Path) -> None:
    """Installed it imports its own native core, and what is recorded is on the page."""
    ran = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", USE],
        env=bare(PYTHONPATH=str(installed)),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    native, frames = ran.stdout.splitlines()
    assert Path(native).is_relative_to(installed)
    assert frames == 'bot_frames_total{venue="binance"} 3'
