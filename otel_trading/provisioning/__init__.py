"""Dashboards, alert rules and service levels in Python, and their round trip through Grafana."""
