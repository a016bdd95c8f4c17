"""The boards that the kit brings along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.provisioning.boards import (
    health,
    latency,
    logs_traces,
    market_data,
    orders,
    overview,
    risk,
    telemetry,
)
from otel_trading.provisioning.canonical import text

if TYPE_CHECKING:
    from otel_trading.provisioning.dashboard import Dashboard

BOARDS: tuple[Dashboard, ...] = (
    *(overview.BOARD, latency.BOARD, orders.BOARD, risk.BOARD),
    *(market_data.BOARD, health.BOARD, telemetry.BOARD, logs_traces.BOARD),
)
"""All of them, the overview first."""

_PREFIX = "otel-trading-"


def files() -> dict[str, str]:
    """The boards as files of the repository: their texts, by path."""
    return {f"grafana/dashboards/{board.uid.removeprefix(_PREFIX)}.json": text(board.render()) for board in BOARDS}
