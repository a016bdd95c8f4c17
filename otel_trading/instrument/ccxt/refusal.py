"""The refusal of an order, as bots on ccxt know it."""

from __future__ import annotations

from ccxt.base.errors import InvalidOrder

from otel_trading.instrument.refusals import EmergencyStopError


class OrderRefusedError(EmergencyStopError, InvalidOrder):  # type: ignore[misc]  # ccxt carries no types
    """An order that was not sent because trading is stopped."""
