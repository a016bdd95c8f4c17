"""Metrics: the provider behind the API, the readers that push and pull, and the guard at the edge."""
