from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.provisioning.standin import Standin
from tests.provisioning.standin.server import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSIONS = ("9.5.21", "10.4.19", "11.6.4", "12.1.0", "13.3.0")
CLASSIC = VERSIONS[:4]
"""Those whose browsers save classic dashboards as such."""


@pytest.fixture
def grafana(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Standin]:
    """Give a Grafana, named by the environment, and an empty project to work in.

    Parametrise it indirectly for another version; what is asked of it and is not documented fails the test.
    """
    with Standin(getattr(request, "param", "12.1.0")) as standin:
        monkeypatch.setenv("GRAFANA_URL", standin.url)
        monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
        for name in ("GRAFANA_TOKEN_FILE", "GRAFANA_ORG_ID", "GRAFANA_CA"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.chdir(tmp_path)
        yield standin
    assert not standin.undocumented
