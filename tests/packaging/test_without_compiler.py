from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.packaging.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

HOOK = "import sys; sys.path.insert(0, sys.argv[1]); import build_backend; build_backend.get_requires_for_build_{0}()"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH of our own, with a shell and nothing else."""
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "sh").symlink_to("/bin/sh")
    return folder


def program(path: Path, name: str, says: str = "") -> None:
    """Put a program on the PATH that prints this."""
    (path / name).write_text(f"#!/bin/sh\necho {says}\n", "utf-8")
    (path / name).chmod(0o755)


def ask(path: Path, kind: str = "wheel") -> subprocess.CompletedProcess[str]:
    """What an installer asks first."""
    return subprocess.run(
        [sys.executable, "-c", HOOK.format(kind), str(ROOT / "native")],
        cwd=ROOT,
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("kind", ["wheel", "editable", "sdist"])
def test_without_rust_it_says_where_rust_is(path: Path, kind: str) -> None:
    """One line names what is missing and where to get it; nothing is fetched."""
    program(path, "cc")
    asked = ask(path, kind)
    assert asked.returncode == 1
    (line,) = asked.stderr.splitlines()
    assert "cargo and rustc cannot be found on PATH" in line
    assert "https://rustup.rs" in line


def test_an_old_rust_is_named_with_the_version_that_is_needed(path: Path) -> None:
    """The line has both versions and the command that helps."""
    program(path, "cc")
    program(path, "cargo")
    program(path, "rustc", "rustc 1.70.0")
    asked = ask(path)
    assert asked.returncode == 1
    (line,) = asked.stderr.splitlines()
    assert "or newer; this is rustc 1.70.0. Run: rustup update" in line


def test_without_a_linker_it_says_how_to_get_one(path: Path) -> None:
    """Rust alone does not link; a source distribution needs no linker."""
    program(path, "cargo")
    program(path, "rustc", "rustc 9.0.0")
    asked = ask(path)
    assert asked.returncode == 1
    (line,) = asked.stderr.splitlines()
    assert "apt install gcc" in line
    assert ask(path, "sdist").returncode == 0


def test_with_a_compiler_it_asks_for_nothing_more(path: Path) -> None:
    """All is there: the build goes on."""
    program(path, "cc")
    program(path, "cargo")
    program(path, "rustc", "rustc 9.0.0")
    asked = ask(path)
    assert (asked.returncode, asked.stderr) == (0, "")


def test_pip_shows_the_line(path: Path, sdist: Path, tmp_path: Path) -> None:
    """Who installs from source reads it in what pip says, and no traceback."""
    ran = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, sdist],
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "https://rustup.rs" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr
