from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

from otel_trading.stack.binaries import (
    RECIPES,
    built_directory,
    cache_directory,
    find_binary,
    find_tool,
    reported_version,
)
from otel_trading.stack.build import build
from otel_trading.stack.errors import BuildError

# stands in for the go command: lists two packages, compiles the second, writes the program
FAKE_GO = """#!/bin/sh
case "$1" in
  version) echo go version go1.99.0 linux/amd64 ;;
  list) echo "go: downloading example.org/a v1.0.0" >&2; echo example.org/a; echo example.org/b ;;
  build)
    echo example.org/b >&2
    while [ "$1" != "-o" ]; do shift; done
    echo "$3" > "$2" ;;
esac
"""


class Recorder:
    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def begin(self, component: str, doing: str) -> None:
        self.told.append(("begin", component, doing))

    def advance(self, component: str, doing: str, done: int, total: int | None) -> None:
        self.told.append(("advance", component, f"{doing} {done}/{total}"))

    def finish(self, component: str, result: str) -> None:
        self.told.append(("finish", component, result))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a PATH of our own, with a shell and nothing else."""
    reported_version.cache_clear()
    folder = tmp_path / "path"
    folder.mkdir()
    for name in ("sh", "cat"):
        (folder / name).symlink_to(f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def script(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)
    return file


def test_a_missing_go_is_told_with_what_else_would_do(path: Path, tmp_path: Path) -> None:
    """The message names the version, the package manager, the PATH and Docker."""
    with pytest.raises(BuildError, match=r"(?s)Go is not installed; building loki takes Go 1\.26\.5.*PATH.*Docker"):
        build(["loki"], cache_root=tmp_path)


def test_an_old_go_is_refused(path: Path, tmp_path: Path) -> None:
    """Go does not fetch a newer Go behind our back."""
    script(path, "go", "#!/bin/sh\necho go version go1.25.9 linux/amd64\n")
    with pytest.raises(BuildError, match=r"Go 1\.25\.9 is too old"):
        build(["jaeger"], cache_root=tmp_path)


def test_a_build_shows_modules_and_packages_and_appears_in_one_step(path: Path, tmp_path: Path) -> None:
    """Both binaries of a component are there at once, and a second call does nothing."""
    script(path, "go", FAKE_GO)
    recorder = Recorder()
    build(["prometheus"], cache_root=tmp_path, progress=recorder)
    assert recorder.told == [
        ("begin", "prometheus", "resolving"),
        ("advance", "prometheus", "downloading modules 1/None"),
        ("advance", "prometheus", "compiling packages 1/2"),
        ("advance", "prometheus", "compiling packages 1/2"),
        ("finish", "prometheus", "built"),
    ]
    built = built_directory("prometheus", tmp_path)
    assert {file.name for file in built.iterdir()} == {"prometheus", "promtool"}
    assert find_binary("prometheus", tmp_path) == built / "prometheus"
    assert find_tool("promtool", tmp_path) == built / "promtool"
    build(["prometheus"], cache_root=tmp_path, progress=recorder)
    assert len(recorder.told) == 5


def test_a_failing_build_leaves_nothing_that_looks_built(path: Path, tmp_path: Path) -> None:
    """The compiler's last words are in the message, and the next call builds again."""
    script(path, "go", FAKE_GO.replace('echo "$3" > "$2"', 'echo "checksum mismatch" >&2; exit 1'))
    with pytest.raises(BuildError, match=r"(?s)building jaeger failed.*checksum mismatch"):
        build(["jaeger"], cache_root=tmp_path)
    assert find_binary("jaeger", tmp_path) is None
    script(path, "go", FAKE_GO)
    build(["jaeger"], cache_root=tmp_path)
    assert find_binary("jaeger", tmp_path) is not None


def test_a_second_build_waits_for_the_first(path: Path, tmp_path: Path) -> None:
    """Two commands do not write the same files."""
    script(path, "go", FAKE_GO)
    recorder = Recorder()
    with (tmp_path / "build.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = threading.Thread(target=build, args=(["loki"],), kwargs={"cache_root": tmp_path, "progress": recorder})
        second.start()
        second.join(0.3)
        assert second.is_alive()
        assert recorder.told == [("begin", "build", "waiting for another build to end")]
    second.join(10)
    assert find_binary("loki", tmp_path) is not None


@pytest.mark.parametrize(
    ("version", "used"), [("3.14.9", False), ("3.15.0", True), ("4.0.1", True), ("unknown", False)]
)
def test_a_binary_on_the_path_is_used_if_it_is_new_enough(
    path: Path, tmp_path: Path, version: str, *, used: bool
) -> None:
    """An older one would not understand the configuration."""
    file = script(path, "prometheus", f"#!/bin/sh\necho prometheus, version {version}\n")
    assert find_binary("prometheus", tmp_path) == (file if used else None)


def test_the_place_of_a_build_changes_with_its_sources(tmp_path: Path) -> None:
    """Other modules or flags are another binary."""
    places = {name: built_directory(name, tmp_path) for name in RECIPES}
    assert len(set(places.values())) == len(RECIPES)
    assert all(len(place.name.removeprefix(f"{name}-")) == 12 for name, place in places.items())


def test_the_cache_follows_its_variables() -> None:
    """OTEL_TRADING_CACHE wins over XDG_CACHE_HOME, and that over the home directory."""
    assert str(cache_directory({"OTEL_TRADING_CACHE": "/a", "XDG_CACHE_HOME": "/b"})) == "/a"
    assert str(cache_directory({"XDG_CACHE_HOME": "/b"})) == "/b/otel-trading"
    assert str(cache_directory({})) == str(Path("~/.cache/otel-trading").expanduser())
