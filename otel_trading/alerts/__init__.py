"""Alerts: rules on what the bot's own process knows, and the channels that tell people."""
