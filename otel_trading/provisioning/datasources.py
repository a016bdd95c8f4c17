"""Data sources and the place of boards, as Grafana is provisioned with them.

Exemplars of metrics open traces, spans open their log lines and metrics, log lines open their traces.
"""

from __future__ import annotations

from otel_trading.provisioning import promql
from otel_trading.trading.conventions import label_name

_HEAD = """\
# Made by otel_trading/provisioning/datasources.py.
"""

_SOURCES = """\
# A single $ is expanded from Grafana's environment here (the addresses below); $$ is a $ for the browser.
apiVersion: 1
datasources:
  - name: Prometheus
    uid: prometheus
    type: prometheus
    access: proxy
    url: $PROMETHEUS_URL
    isDefault: true
    jsonData:
      httpMethod: POST
      prometheusType: Prometheus
      prometheusVersion: 3.15.0
      timeInterval: 15s # the smallest step that always holds a sample
      exemplarTraceIdDestinations:
        - {name: trace_id, datasourceUid: jaeger, urlDisplayLabel: "Trace $${__value.raw}"}

  - name: Loki
    uid: loki
    type: loki
    access: proxy
    url: $LOKI_URL
    jsonData:
      derivedFields:
        # trace_id is structured metadata of OTLP logs, not a part of the line: so it is matched as a label
        - name: trace_id
          matcherType: label
          matcherRegex: trace_id
          datasourceUid: jaeger
          url: $${__value.raw}
          urlDisplayLabel: Trace

  - name: Jaeger
    uid: jaeger
    type: jaeger
    access: proxy
    url: $JAEGER_URL
    jsonData:
      nodeGraph: {enabled: true}
      traceQuery: {timeShiftEnabled: true, spanStartTimeShift: -1h, spanEndTimeShift: 1h}
      spanBar: {type: Tag, tag: trading.order.status}
      tracesToLogsV2:
        datasourceUid: loki
        spanStartTimeShift: -5m
        spanEndTimeShift: 5m
        tags: [{key: service.name, value: service_name}]
        customQuery: true
        query: '{$${__tags}} | trace_id="$${__trace.traceId}"'
      tracesToMetrics:
        datasourceUid: prometheus
        spanStartTimeShift: -15m
        spanEndTimeShift: 15m
"""

_LAST = """\

  - name: Alertmanager
    uid: alertmanager
    type: alertmanager
    access: proxy
    url: $ALERTMANAGER_URL
    jsonData: {implementation: prometheus}
"""

_BOARDS = """\
apiVersion: 1
providers:
  - name: otel-trading
    folder: Trading
    type: file
    disableDeletion: false
    allowUiUpdates: true # edits in the browser live in Grafana's database until they are pulled, or the file changes
    updateIntervalSeconds: 30
    options: {path: $DASHBOARDS_PATH}
"""

_SPAN_TAG = "trading.venue.name"
"""What a span and all metrics it leads to have in common; a label that one lacks would leave it empty."""
_TAGS = "$__tags"
_OF_SPANS = (
    ("Acknowledgement, p99", promql.quantile(0.99, "trading.order.ack.duration", matchers=_TAGS)),
    ("Requests, p99", promql.quantile(0.99, "trading.venue.request.duration", matchers=_TAGS)),
    ("Executions per second", promql.rate("trading.execution.reports", matchers=_TAGS)),
    ("Spans per second", f"sum by (span_name) (rate(traces_span_metrics_calls_total{{{_TAGS}}}[{promql.RATE}]))"),
)


def files() -> dict[str, str]:
    """The files of ``grafana/provisioning`` for data sources and boards: their texts, by path."""
    return {
        "grafana/provisioning/datasources/stack.yaml": f"{_HEAD}{_SOURCES}{_to_metrics()}{_LAST}",
        "grafana/provisioning/dashboards/stack.yaml": f"{_HEAD}{_BOARDS}",
    }


def _to_metrics() -> str:
    tags = f"        tags: [{{key: {_SPAN_TAG}, value: {label_name(_SPAN_TAG)}}}]\n"
    queries = [f"          - name: {name}\n            query: {expr.replace('$', '$$')}\n" for name, expr in _OF_SPANS]
    return "".join([tags, "        queries:\n", *queries])
