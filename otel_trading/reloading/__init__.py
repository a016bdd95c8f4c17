"""Configuration that changes while the bot runs: the kit's own options, and the bot's models."""
