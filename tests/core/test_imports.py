from __future__ import annotations

import importlib
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from otel_trading.forks import whole_imports
from otel_trading.imports import when_imported
from tests.forks import in_child

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a package that is not imported yet."""
    package = tmp_path / "imported_later"
    package.mkdir()
    (package / "__init__.py").write_text("from imported_later import inner\nready = True\n", "utf-8")
    (package / "inner.py").write_text("", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("imported_later", "imported_later.inner"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return "imported_later"


def test_hook_is_called_once_the_module_is_complete(later: str) -> None:
    """The hook gets the finished module, which shows its own loader, and nothing is left behind."""
    before = list(sys.meta_path)
    got: list[ModuleType] = []
    when_imported(later, lambda module: got.append(module) if module.ready else None)
    assert got == []
    module = importlib.import_module(later)
    assert got == [module]
    assert "otel_trading" not in type(module.__loader__).__module__
    assert module.__spec__ is not None
    assert module.__spec__.loader is module.__loader__
    assert sys.meta_path == before
    importlib.reload(module)
    assert got == [module]


def test_what_is_imported_already_is_hooked_at_once(later: str) -> None:
    """There is nothing to wait for."""
    module = importlib.import_module(later)
    got: list[ModuleType] = []
    when_imported(later, got.append)
    assert got == [module]


def test_what_another_thread_is_importing_is_hooked_when_it_is_done(
    later: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import that began before anybody asked is not missed, and a half-made module is not given out."""
    begun, go_on = threading.Event(), threading.Event()
    monkeypatch.setattr(threading, "the_import", (begun, go_on), raising=False)
    (tmp_path / later / "__init__.py").write_text(
        "import threading\nbegun, go_on = threading.the_import\nbegun.set()\ngo_on.wait(10)\nready = True\n", "utf-8"
    )
    importing = threading.Thread(target=importlib.import_module, args=(later,))
    importing.start()
    assert begun.wait(10)
    got: list[bool] = []
    asking = threading.Thread(target=when_imported, args=(later, lambda module: got.append(module.ready)))
    asking.start()
    asking.join(0.2)
    assert got == []
    go_on.set()
    asking.join(10)
    importing.join(10)
    assert got == [True]


def test_hook_can_be_taken_back(later: str) -> None:
    """A hook that was withdrawn is not called, and import finds the module as ever."""
    before = list(sys.meta_path)
    got: list[ModuleType] = []
    when_imported(later, got.append)()
    importlib.import_module(later)
    assert got == []
    assert sys.meta_path == before


def test_module_that_does_not_exist_is_still_missing() -> None:
    """Waiting for a module does not change the error of importing it."""
    undo = when_imported("no_such_module_at_all", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_at_all"):
        importlib.import_module("no_such_module_at_all")
    undo()


def test_a_fork_waits_for_what_a_thread_of_ours_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child would have half a module for ever: nobody there goes on importing it."""
    (tmp_path / "slow_to_import.py").write_text("import time\ntime.sleep(0.3)\nvalue = 7\n")
    monkeypatch.syspath_prepend(tmp_path)

    def work() -> None:
        with whole_imports():
            importlib.import_module("slow_to_import")

    thread = threading.Thread(target=work)
    thread.start()
    while "slow_to_import" not in sys.modules:
        time.sleep(0.001)
    assert in_child(lambda: sys.modules["slow_to_import"].value) == 7
    thread.join()
