"""The reference bot: strategy, orders, portfolio, execution, and the bot that joins them."""

from otel_trading.demo.bot.bot import BasisBot, Settings
from otel_trading.demo.bot.portfolio import Limits, Portfolio
from otel_trading.demo.bot.strategy import BasisStrategy, Parameters, Quote, Signal

__all__ = ["BasisBot", "BasisStrategy", "Limits", "Parameters", "Portfolio", "Quote", "Settings", "Signal"]
