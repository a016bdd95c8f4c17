"""The rules of the kit, by concern."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.provisioning.rules.kit.bot import BOT
from otel_trading.provisioning.rules.kit.latency import LATENCY
from otel_trading.provisioning.rules.kit.logs import LOGS
from otel_trading.provisioning.rules.kit.market_data import MARKET_DATA
from otel_trading.provisioning.rules.kit.orders import ORDERS
from otel_trading.provisioning.rules.kit.risk import RISK
from otel_trading.provisioning.rules.kit.slos import SLO_GROUPS
from otel_trading.provisioning.rules.kit.stack import STACK
from otel_trading.provisioning.rules.kit.telemetry import TELEMETRY
from otel_trading.provisioning.rules.kit.venues import VENUES

if TYPE_CHECKING:
    from otel_trading.provisioning.rules.model import Group

RULES: tuple[Group, ...] = (ORDERS, RISK, MARKET_DATA, VENUES, LATENCY, BOT, TELEMETRY, STACK, LOGS, *SLO_GROUPS)
"""All of them."""
