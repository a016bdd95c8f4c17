"""What telemetry costs on this machine, beside opentelemetry-sdk, prometheus_client and no telemetry, in one run.

A row of ``rows.ROWS`` names an operation, what each contender does for it and the goal; ``timing``, ``ticks``,
``threads``, ``bulk`` and ``starts`` know how to measure, ``report`` how to show.
"""
