"""A bot that trades the basis between spot and perpetual on two simulated venues, under full telemetry.

``bot`` is what an author copies; ``report`` says what happened in metrics, spans and log lines; ``venue`` are the
venues; the rest is ``otel-trading demo``: it runs them, shows them and sums them up.
"""
