"""Checks of what the bot depends on."""
