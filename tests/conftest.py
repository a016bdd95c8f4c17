from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from otel_trading.stack import Ports, Stack
from otel_trading.stack.binaries import find_binary
from otel_trading.stack.components import BACKENDS

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# nothing of a developer's shell decides what a test sends where
for name in [name for name in os.environ if name.startswith("OTEL_") and not name.startswith("OTEL_TRADING_")]:
    del os.environ[name]
for name in [name for name in os.environ if name.startswith("ALERT_")]:
    del os.environ[name]

# no test finds what another one recorded, or could not deliver
_LEFT = Path(tempfile.mkdtemp(prefix="otel-trading-tests-"))
_spools = itertools.count()
os.environ["OTEL_TRADING_FLIGHT_FOLDER"] = str(_LEFT / "flights")
os.environ["OTEL_TRADING_SPOOL_FOLDER"] = str(_LEFT / "spools")
os.environ["XDG_STATE_HOME"] = str(_LEFT / "state")
os.environ["OTEL_TRADING_ALERTS_FOLDER"] = str(_LEFT / "alerts")

hypothesis.settings.register_profile("busy", deadline=None)  # a machine with much to do is no defect
hypothesis.settings.load_profile("busy")
os.environ["OTEL_TRADING_EMERGENCY_FOLDER"] = str(_LEFT / "emergency")

QUICK = {"SPAN_METRICS_INTERVAL": "1s", "HOST_METRICS_INTERVAL": "1s"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What was printed or logged is not always Unicode here, and has to be where tests run in other processes."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have a run that is ended from outside say what has failed until then."""
    if not hasattr(session.config, "workerinput"):
        signal.signal(signal.SIGTERM, lambda *_: pytest.exit("ended by SIGTERM", 128 + signal.SIGTERM))


def pytest_unconfigure() -> None:
    """Leave nothing behind."""
    shutil.rmtree(_LEFT, ignore_errors=True)


@pytest.fixture(autouse=True)
def _spool_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRADING_SPOOL_FOLDER", str(_LEFT / f"spool-{next(_spools)}"))


@pytest.fixture(scope="session")
def backends() -> None:
    """Give up, or skip, where the backends are not built."""
    missing = [name for name in BACKENDS if find_binary(name) is None]
    if missing:
        message = f"not built: {', '.join(missing)}; run: otel-trading stack build"
        if os.environ.get("REQUIRE_BACKENDS"):
            pytest.fail(message)
        pytest.skip(message)


@pytest.fixture(scope="session")
def stack(backends: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give the real backends on free ports, shared by all tests: send what you like, stop nothing."""
    with Stack(ports=Ports.free(), data_dir=tmp_path_factory.mktemp("stack"), settings=QUICK) as running:
        yield running


@pytest.fixture
def own_stack(backends: None, tmp_path: Path) -> Iterator[Stack]:
    """Give the real backends on free ports to one test, which may break them."""
    with Stack(ports=Ports.free(), data_dir=tmp_path / "stack", settings=QUICK) as running:
        yield running


@pytest.fixture(scope="session")
def settable_clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the wall clock that can be set, to be preloaded."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no C compiler; run: apt-get install gcc")
    built = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("settable_clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, source, "-ldl"], check=True)
    return built
