from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.packaging.conftest import ROOT, builder_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGES = ("otel_trading", "otel_trading_pytest")


def files(sources: Path) -> Iterator[str]:
    """What the source distribution holds."""
    return (str(file.relative_to(sources)) for file in sources.rglob("*") if file.is_file())


def test_the_whole_native_workspace_is_in_it(sources: Path, known_files: set[str]) -> None:
    """Every file of every crate but the fuzzer's, and no other file."""
    native = {name for name in known_files if name.startswith("native/") and not name.startswith("native/fuzz/")}
    assert {name for name in files(sources) if name.startswith("native/")} == native
    assert {f"native/{crate}Cargo.toml" for crate in ("", "aggregate/", "ring/", "wire/")} < native


def test_the_packages_are_in_it_and_nothing_else(sources: Path, known_files: set[str]) -> None:
    """Both packages as git knows them, what builds them, and no test, no tool's leavings."""
    packed = {name for name in files(sources) if not name.startswith("native/")}
    packages = {name for name in known_files if name.startswith(tuple(f"{package}/" for package in PACKAGES))}
    assert packed - packages == {"LICENSE", "PKG-INFO", "README.md", "pyproject.toml"}
    assert packages <= packed


def test_it_says_nothing_of_the_machine_that_made_it(sdist: Path) -> None:
    """No folder of the checkout or of its user in any file, no user's name beside it."""
    folders = [str(folder).encode() for folder in (ROOT, Path.home() / ".cargo", Path.home() / ".cache")]
    with tarfile.open(sdist) as archive:
        for member in archive:
            assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", ""), member.name
            content = archive.extractfile(member)
            text = content.read() if content else b""
            assert not [folder for folder in folders if folder in text], member.name


def test_cargo_takes_the_workspace_with_its_lock_file(sources: Path) -> None:
    """The lock file suits the crates that are there, and all of them are."""
    told = subprocess.run(
        ["cargo", "tree", "--locked", "--offline", "--edges=normal", "--prefix=none", "--format={p}"],
        cwd=sources / "native",
        env=builder_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert {"aggregate", "ring", "wire", "pyo3"} <= {line.split()[0] for line in told.stdout.splitlines() if line}
