"""Building the backends from their Go modules: pinned, checksummed, one at a time, resumable."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otel_trading.stack.binaries import RECIPES, built_directory, cache_directory, find_binary, reported_version
from otel_trading.stack.errors import BuildError
from otel_trading.stack.progress import NoProgress, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import TextIO

    from otel_trading.stack.binaries import Recipe

OUTPUT_KEPT_LINES = 30


def build(components: Iterable[str], *, cache_root: Path | None = None, progress: Progress | None = None) -> None:
    """Build what is missing of ``components``.

    Every module is checked against the ``go.sum`` beside its ``go.mod``. An interrupted build starts again where it
    stopped: Go keeps what it has downloaded and compiled. A second build waits for the first one.

    Raises:
        BuildError: Go is missing or too old, a download fails or does not match its checksum, or the compiler fails.

    """
    cache_root = cache_root or cache_directory()
    progress = progress or NoProgress()
    missing = [component for component in components if find_binary(component, cache_root) is None]
    if not missing:
        return
    go = find_go([RECIPES[component] for component in missing])
    with _only_one(cache_root / "build.lock", progress):
        for component in missing:
            if find_binary(component, cache_root) is None:
                _build_one(go, component, cache_root, progress)


def find_go(recipes: Sequence[Recipe]) -> str:
    """Return the ``go`` command, if it is there and new enough for all ``recipes``.

    Raises:
        BuildError: it is not; the message says which version, and what else would do.

    """
    needed = max(_go_version_of(recipe) for recipe in recipes)
    names = ", ".join(recipe.on_path[-1] for recipe in recipes)
    wanted = ".".join(map(str, needed))
    go = shutil.which("go")
    found = reported_version(go, "version") if go else None
    if go is None or found is None or found < needed:
        state = f"Go {'.'.join(map(str, found))} is too old" if found else "Go is not installed"
        raise BuildError(
            f"{state}; building {names} takes Go {wanted} or newer.\n"
            f"Install Go {wanted} with your package manager, or put the released programs ({names}) on the PATH, "
            "or start a Docker engine: then the images are used."
        )
    return go


def _go_version_of(recipe: Recipe) -> tuple[int, int, int]:
    match = re.search(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", (recipe.source / "go.mod").read_text(), re.MULTILINE)
    if match is None:
        raise BuildError(f"{recipe.source}/go.mod names no Go version")
    return int(match[1]), int(match[2]), int(match[3] or 0)


@contextmanager
def _only_one(lock: Path, progress: Progress) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.begin("build", "waiting for another build to end")
            fcntl.flock(held, fcntl.LOCK_EX)
            progress.finish("build", "the other build has ended")
        yield


def _build_one(go: str, component: str, cache_root: Path, progress: Progress) -> None:
    recipe = RECIPES[component]
    final = built_directory(component, cache_root)
    partial = final.with_name(f".partial-{final.name}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    progress.begin(component, "resolving")
    log = cache_root / f"build-{component}.log"
    with log.open("w") as output:
        listed = _run([go, "list", "-deps", *recipe.build_arguments, *recipe.packages.values()], recipe)
        total = len([line for line in _watch(listed, component, output, progress, None) if _is_package(line)])
        for binary, package in recipe.packages.items():
            command = [go, "build", "-v", *recipe.build_arguments, "-o", str(partial / binary), package]
            list(_watch(_run(command, recipe), component, output, progress, total))
    shutil.rmtree(final, ignore_errors=True)
    partial.rename(final)
    progress.finish(component, "built")


def _run(command: list[str], recipe: Recipe) -> subprocess.Popen[str]:
    settings = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-mod=readonly -buildvcs=false", "CGO_ENABLED": "0"}
    return subprocess.Popen(  # noqa: S603 - the go command, with our own arguments
        command,
        cwd=recipe.source,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )


def _watch(
    process: subprocess.Popen[str], component: str, log: TextIO, progress: Progress, total: int | None
) -> Iterator[str]:
    modules = packages = 0
    last: deque[str] = deque(maxlen=OUTPUT_KEPT_LINES)
    with process:
        try:
            for line in process.stdout or ():
                last.append(line)
                log.write(line)
                if line.startswith("go: downloading"):
                    modules += 1
                    progress.advance(component, "downloading modules", modules, None)
                elif total is not None and _is_package(line):
                    packages += 1
                    progress.advance(component, "compiling packages", packages, total)
                yield line.strip()
        except BaseException:
            process.terminate()
            raise
    if process.returncode != 0:
        raise BuildError(f"building {component} failed; try again to resume where it stopped.\n{''.join(last).strip()}")


def _is_package(line: str) -> bool:
    return re.fullmatch(r"[\w./~+-]+", line.strip()) is not None
