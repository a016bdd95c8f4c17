from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from otel_trading.stack.binaries import cache_directory

ROOT = Path(__file__).parents[2]


def builder_environment() -> dict[str, str]:
    """Finds maturin, and compiles only what the checkout's own installation has not compiled."""
    target = os.environ.get("CARGO_TARGET_DIR") or str(cache_directory() / "cargo")
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    return {**os.environ, "CARGO_TARGET_DIR": target, "PATH": path}


def run(*command: str | Path) -> None:
    """Run it in the checkout; what it says is part of the failure."""
    ran = subprocess.run(command, cwd=ROOT, env=builder_environment(), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture(scope="session")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout's source distribution."""
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", folder)
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="session")
def sources(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("sources")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (top,) = folder.iterdir()
    return top


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkout's wheel for this Python."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ".")
    (file,) = folder.iterdir()
    return file


@pytest.fixture(scope="session")
def known_files() -> set[str]:
    """The files of the checkout: those that git knows or would take."""
    told = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return {name for name in told.stdout.split("\0") if (ROOT / name).is_file()}
