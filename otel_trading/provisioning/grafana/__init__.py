"""The round trip: what the code says, what Grafana has, and what people changed there."""
