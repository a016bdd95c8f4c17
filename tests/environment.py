"""What a process that a test starts finds around it."""

from __future__ import annotations

import os

_KEPT = ("OTEL_TRADING_FLIGHT_FOLDER", "OTEL_TRADING_SPOOL_FOLDER", "OTEL_TRADING_EMERGENCY_FOLDER")


def bare(**variables: str) -> dict[str, str]:
    """The environment without settings of telemetry or of pytest, but for the folders of this run; and these."""
    return {
        name: value for name, value in os.environ.items() if name in _KEPT or not name.startswith(("OTEL_", "PYTEST"))
    } | variables
