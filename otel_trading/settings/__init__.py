"""Options: one table, resolved from arguments, environment, file, profile and defaults."""

from otel_trading.settings.load import Resolved, resolve
from otel_trading.settings.options import Profile, Settings
from otel_trading.settings.problems import Problem, report

__all__ = ["Problem", "Profile", "Resolved", "Settings", "report", "resolve"]
