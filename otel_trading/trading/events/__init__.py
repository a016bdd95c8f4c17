"""What can happen to a trading bot: each event declared once, with all that becomes of it."""

from otel_trading.trading.events.declared import EVENTS
from otel_trading.trading.events.model import Event, Level, Measure

__all__ = ["EVENTS", "Event", "Level", "Measure"]
