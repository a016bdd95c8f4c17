"""Starting and checking the backends: Collector, Prometheus, Alertmanager, Jaeger, Loki, Grafana."""

from otel_trading.stack.errors import BuildError, PortTakenError, StackError, StartError
from otel_trading.stack.native import ComponentStatus, Stack
from otel_trading.stack.ports import Ports

__all__ = ["BuildError", "ComponentStatus", "PortTakenError", "Ports", "Stack", "StackError", "StartError"]
