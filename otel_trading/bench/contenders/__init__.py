"""Who is compared, in the order of the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.bench.contenders.base import NONE, OURS, PROMETHEUS, SDK, Contender, NotThereError
from otel_trading.bench.contenders.behind_api import NoTelemetry, Sdk
from otel_trading.bench.contenders.loggers import STANDARD, STRUCTLOG, StandardLogging, Structlog
from otel_trading.bench.contenders.ours import OtelTrading
from otel_trading.bench.contenders.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONTENDERS", "NONE", "OURS", "PROMETHEUS", "SDK", "STANDARD", "STRUCTLOG", "Contender", "NotThereError"]

CONTENDERS: dict[str, Callable[[str], Contender]] = {
    kind.name: kind for kind in (OtelTrading, Prometheus, Sdk, NoTelemetry, StandardLogging, Structlog)
}
"""Each is made with the OTLP/HTTP endpoint it sends to."""
