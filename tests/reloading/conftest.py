from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.core.conftest import Configure, bot, configured, receiver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(autouse=True)
def _no_configuration_is_left() -> Iterator[None]:
    """The handle is the process's, and so is what it watches."""
    yield
    handle = sys.modules["otel_trading.configure"]._current
    for config in list(handle.reloading.configs) if handle is not None else []:
        config.close()


__all__ = ["Configure", "bot", "configured", "receiver"]

WAIT = 30.0


def eventually(found: Callable[[], Any], what: str = "it") -> Any:
    """What it returns as soon as that is something."""
    end = time.monotonic() + WAIT
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > end:
            pytest.fail(f"{what} does not come about")
        time.sleep(0.02)
