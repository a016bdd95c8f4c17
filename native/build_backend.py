"""Builds with maturin; before that, says what is missing to build with, and where to get it.

maturin alone would have pip fetch a compiler and run it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import maturin

if TYPE_CHECKING:
    from collections.abc import Callable

    Check = Callable[[], str | None]
    Hook = Callable[..., Any]

_MANIFEST = Path(__file__).with_name("Cargo.toml")
_INSTALL = "Install Rust from https://rustup.rs, put ~/.cargo/bin on PATH and run pip again."


def _rust() -> str | None:
    needed: str = tomllib.loads(_MANIFEST.read_text("utf-8"))["workspace"]["package"]["rust-version"]
    if missing := [name for name in ("cargo", "rustc") if shutil.which(name) is None]:
        return f"Rust {needed} or newer; {' and '.join(missing)} cannot be found on PATH. {_INSTALL}"
    told = subprocess.run(["rustc", "--version"], capture_output=True, text=True, check=False)  # noqa: S607 - the user's
    found = re.match(r"rustc (\d+)\.(\d+)", told.stdout)
    if found is None:
        return f"Rust {needed} or newer; rustc does not run: {told.stderr.strip()}"
    if tuple(map(int, found.groups())) < tuple(map(int, needed.split("."))):
        return f"Rust {needed} or newer; this is {told.stdout.strip()}. Run: rustup update"
    return None


def _linker() -> str | None:
    if sys.platform == "win32" or any(shutil.which(name) for name in ("cc", "gcc", "clang")):
        return None
    return "a C linker; cc cannot be found on PATH. Install gcc, for example: apt install gcc"


def _after(checks: tuple[Check, ...], hook: Hook) -> Hook:
    """The hook, once none of the checks has a complaint."""

    @wraps(hook)
    def checked(*arguments: object, **options: object) -> object:
        for check in checks:
            if (problem := check()) is not None:
                sys.exit(f"otel-trading has no wheel for this platform, and to build one takes {problem}")
        return hook(*arguments, **options)

    return checked


_COMPILER: tuple[Check, ...] = (_rust, _linker)

build_editable = _after(_COMPILER, maturin.build_editable)
build_sdist = _after((_rust,), maturin.build_sdist)
build_wheel = _after(_COMPILER, maturin.build_wheel)
get_requires_for_build_editable = _after(_COMPILER, maturin.get_requires_for_build_editable)
get_requires_for_build_sdist = _after((_rust,), maturin.get_requires_for_build_sdist)
get_requires_for_build_wheel = _after(_COMPILER, maturin.get_requires_for_build_wheel)
prepare_metadata_for_build_editable = _after(_COMPILER, maturin.prepare_metadata_for_build_editable)
prepare_metadata_for_build_wheel = _after(_COMPILER, maturin.prepare_metadata_for_build_wheel)
