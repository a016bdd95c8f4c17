"""Logs: the provider behind the API and the bridge from the standard library."""
