"""``opentelemetry-instrument python bot.py``: the distro and the configurator behind its entry points."""

from __future__ import annotations

import os
from typing import Any

from opentelemetry.instrumentation.dependencies import DependencyConflictError
from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]

from otel_trading.settings import report
from otel_trading.settings.standard import repaired_environment, unusable

with repaired_environment(
    unusable(os.environ)
):  # the SDK reads some of it while it is imported; configure() reports it
    from opentelemetry.sdk._configuration import _BaseConfigurator

_OURS = frozenset(
    {
        *("aiohttp-client", "aiohttp-websocket", "asyncio-runtime", "ccxt", "freqtrade", "httpx", "hummingbot"),
        *("logging", "nautilus-trader", "requests", "urllib3", "websockets"),
    }
)
"""Instrumentations that ``configure()`` sets up itself, with rules of its own."""


class Distro(BaseDistro):  # type: ignore[misc]
    """Loads every other instrumentation as the standard distro does."""

    def _configure(self, **kwargs: object) -> None:
        """Choose our configurator, also where another distribution is installed beside this one."""
        os.environ.setdefault("OTEL_PYTHON_CONFIGURATOR", "otel_trading")

    def load_instrumentor(self, entry_point: Any, **kwargs: Any) -> None:  # noqa: ANN401 - the contract's types
        """Load one instrumentation unless ``configure()`` has it; one that fails costs itself.

        What belongs to a library that is not installed is passed over by who calls, without a word.
        """
        if entry_point.name in _OURS:
            return
        try:
            with repaired_environment(unusable(os.environ)):
                super().load_instrumentor(entry_point, **kwargs)
        except (DependencyConflictError, ModuleNotFoundError):
            raise
        except Exception as error:
            report(f"{entry_point.name} is not instrumented: {type(error).__name__}: {error}")


class Configurator(_BaseConfigurator):
    """Calls ``configure()`` before the bot starts."""

    def _configure(self, **kwargs: object) -> None:
        from otel_trading.configure import configure

        configure()
