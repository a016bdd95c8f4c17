"""What telemetry costs: this kit beside opentelemetry-sdk, prometheus_client and no telemetry, in one run."""
