"""Rules: what people are told about, and when."""

from otel_trading.alerts.rules.declared import RULES
from otel_trading.alerts.rules.model import Finding, Rule, Step
from otel_trading.alerts.rules.view import View

__all__ = ["RULES", "Finding", "Rule", "Step", "View"]
