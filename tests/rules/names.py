from __future__ import annotations

import re

OTHERS = frozenset(
    {
        *("up", "prometheus_rule_evaluation_failures_total", "prometheus_notifications_dropped_total"),
        *("prometheus_notifications_errors_total", "prometheus_config_last_reload_successful"),
        *("alertmanager_notifications_failed_total", "alertmanager_config_last_reload_successful"),
        "loki_discarded_samples_total",
        *("otelcol_exporter_queue_size", "otelcol_exporter_queue_capacity"),
        *(
            f"otelcol_{way}_{items}_total"
            for way in ("exporter_send_failed", "exporter_enqueue_failed", "receiver_refused")
            for items in ("spans", "metric_points", "log_records")
        ),
    }
)
"""Metrics of others: of the Collector and the backends, as those versions have them."""

_WORDS = {"and", "or", "unless", "offset", "bool", "by", "on", "ignoring", "without", "group_left", "group_right"}
_LABELS = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\([^)]*\)")
_NAME = re.compile(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\w*\s*\()")


def metrics_of(expr: str) -> set[str]:
    """The names of metrics in an expression, found without a parser: what is neither a label, a word nor a function."""
    bare = re.sub(r'"[^"]*"', "", expr)
    bare = re.sub(r"\{[^}]*\}", "", bare)
    bare = re.sub(r"\[[^]]*\]", "", bare)
    bare = _LABELS.sub("", bare)
    functions = set(re.findall(r"([a-zA-Z_]\w*)\s*\(", bare))
    return {name for name in _NAME.findall(bare) if name not in _WORDS and name not in functions}
