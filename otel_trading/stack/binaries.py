"""Which binary runs a component: one on the PATH that is new enough, else one built from its Go module."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.stack.files import config_file

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION_SECONDS = 10
PROMETHEUS_VERSION = "github.com/prometheus/common/version.Version"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """How a component's binaries are found and built.

    Args:
        directory: its folder below ``collector/build``.
        packages: the Go package of each binary, the one that serves first.
        version: what the module files pin; a binary on the PATH must be at least this new, because this is the
            version the configuration is tested with.
        on_path: names under which distributions install it.
        version_arguments: how it is asked for its version.
        has_pages: whether the Go module holds the built web pages, or the API alone.

    """

    directory: str
    packages: Mapping[str, str]
    version: tuple[int, int, int]
    on_path: tuple[str, ...]
    version_arguments: tuple[str, ...] = ("--version",)
    has_pages: bool = False
    tags: str = ""
    linker_flags: str = ""

    @property
    def binary(self) -> str:
        """The name of the binary that serves."""
        return next(iter(self.packages))

    @property
    def build_arguments(self) -> list[str]:
        """What ``go build`` and ``go list`` are told alike, apart from the package."""
        return ["-trimpath", f"-tags={self.tags}", f"-ldflags=-s -w {self.linker_flags}".rstrip()]

    @property
    def source(self) -> Path:
        """The folder with its module files."""
        return config_file("collector", "build", self.directory)


RECIPES = {
    "collector": Recipe(
        directory="otelcol",
        packages={"otelcol-trading": "."},
        version=(0, 155, 0),
        on_path=("otelcol-trading", "otelcol-contrib"),
        tags="remove_all_sd",
    ),
    "prometheus": Recipe(
        directory="prometheus",
        packages={
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        },
        version=(3, 15, 0),
        on_path=("prometheus",),
        tags="remove_all_sd",
        linker_flags=f"-X {PROMETHEUS_VERSION}=3.15.0",
    ),
    "alertmanager": Recipe(
        directory="alertmanager",
        packages={
            "alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager",
            "amtool": "github.com/prometheus/alertmanager/cmd/amtool",
        },
        version=(0, 31, 1),
        has_pages=True,
        on_path=("alertmanager",),
        linker_flags=f"-X {PROMETHEUS_VERSION}=0.31.1",
    ),
    "jaeger": Recipe(
        directory="jaeger",
        packages={"jaeger": "github.com/jaegertracing/jaeger/cmd/jaeger"},
        version=(2, 13, 0),
        on_path=("jaeger",),
        version_arguments=("version",),
        linker_flags="-X github.com/jaegertracing/jaeger/internal/version.latestVersion=v2.13.0",
    ),
    "loki": Recipe(
        directory="loki",
        packages={"loki": "github.com/grafana/loki/v3/cmd/loki"},
        version=(3, 7, 8),
        on_path=("loki",),
        linker_flags="-X github.com/grafana/loki/v3/pkg/util/build.Version=3.7.8",
    ),
}


def cache_directory(environ: Mapping[str, str] | None = None) -> Path:
    """Return where built binaries and, by default, the stack's data are kept.

    ``OTEL_TRADING_CACHE``, else ``otel-trading`` in the user's cache directory.
    """
    environ = os.environ if environ is None else environ
    if chosen := environ.get("OTEL_TRADING_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "otel-trading"


def built_directory(component: str, cache_root: Path) -> Path:
    """Return where the binaries of ``component`` are, or will be, for exactly these sources and flags."""
    recipe = RECIPES[component]
    digest = hashlib.sha256(" ".join([*recipe.build_arguments, *recipe.packages.values()]).encode())
    for file in sorted(recipe.source.iterdir()):
        if file.suffix in {".go", ".mod", ".sum"}:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return cache_root / "bin" / f"{component}-{digest.hexdigest()[:12]}"


def find_binary(component: str, cache_root: Path | None = None) -> Path | None:
    """Return the binary that would run ``component`` now; nothing if it has to be built first."""
    recipe = RECIPES[component]
    for name in recipe.on_path:
        found = shutil.which(name)
        if found and (version := reported_version(found, *recipe.version_arguments)) and version >= recipe.version:
            return Path(found).absolute()
    built = built_directory(component, cache_root or cache_directory()) / recipe.binary
    return built if built.is_file() else None


def find_tool(name: str, cache_root: Path | None = None) -> Path | None:
    """Return a companion such as ``promtool`` or ``amtool``, if it is built or on the PATH."""
    for component, recipe in RECIPES.items():
        if name in recipe.packages:
            built = built_directory(component, cache_root or cache_directory()) / name
            if built.is_file():
                return built
    found = shutil.which(name)
    return Path(found) if found else None


@cache
def reported_version(program: str, *arguments: str) -> tuple[int, int, int] | None:
    """Ask a program for its version; nothing if it does not tell."""
    try:
        answer = subprocess.run(  # noqa: S603 - a program of one of our names, found on the PATH
            [program, *arguments], capture_output=True, text=True, timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(\d+)\.(\d+)\.(\d+)", answer.stdout or answer.stderr)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
