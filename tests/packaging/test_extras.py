from __future__ import annotations

import sys
import tomllib
from typing import TYPE_CHECKING

from otel_trading.building import build_pipeline
from otel_trading.resource import build_resource
from otel_trading.settings import resolve
from tests.packaging.conftest import ROOT

if TYPE_CHECKING:
    import pytest

_QUIET = {"traces_exporter": "none", "metrics_exporter": "none", "logs_exporter": "none"}


def test_engine_sdk_goes_without_the_exporter_for_prometheus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics are measured and pushed; of the page that is empty one line says what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.prometheus", None)
    resolved = resolve({"engine": "sdk", **_QUIET}, variables={})
    pipeline = build_pipeline(resolved, build_resource(resolved.settings, "0"))
    assert pipeline.pull is None
    (problem,) = pipeline.problems
    assert "/metrics" in str(problem)
    assert "pip install 'otel-trading[prometheus]'" in str(problem)


def test_all_is_everything_that_can_be_added() -> None:
    """The extra ``all`` names each of the others but those for work on the kit itself."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    assert everything == f"otel-trading[{','.join(name for name in extras if name not in {'all', 'dev'})}]"
