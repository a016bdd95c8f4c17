"""The ops server: what telemetry says about the bot, over HTTP."""
