"""Traces: the provider behind the API and the way of an ended span into its queue."""
