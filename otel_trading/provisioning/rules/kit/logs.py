"""What log lines say: rules that ask Loki, for Grafana alone."""

from __future__ import annotations

from otel_trading.provisioning.rules.model import Group, Rule

_BOARD = "otel-trading-logs-traces"


def _lines(filters: str, window: str) -> str:
    return f'sum by (service_name) (count_over_time({{service_name=~".+"}} {filters} [{window}]))'


LOGS = Group(
    name="logs",
    rules=(
        Rule(
            name="CriticalLogLine",
            expr=f'{_lines("""| severity_text=~"(?i)critical|fatal" """.strip(), "5m")} > 0',
            severity="critical",
            summary="{{ $labels.service_name }} logged {{ $value | humanize }} critical lines.",
            description="The bot's own code says that somebody has to look.",
            dashboard=_BOARD,
            panel="error-log",
            loki=True,
        ),
        Rule(
            name="SchemaValidationFailed",
            expr=f'{_lines("""|~ "(?i)schema[ _]validation[ _](failed|error)" """.strip(), "5m")} > 0',
            severity="critical",
            summary="{{ $labels.service_name }} got {{ $value | humanize }} messages that do not fit their schema.",
            description="A venue changed its messages, or they are damaged.",
            dashboard=_BOARD,
            panel="error-log",
            loki=True,
        ),
        Rule(
            name="ErrorLogBurst",
            expr=f'{_lines("""| severity_text=~"(?i)error" """.strip(), "5m")} > 50',
            for_="1m",
            severity="warning",
            summary="{{ $labels.service_name }} logged {{ $value | humanize }} errors in five minutes.",
            description="More than 50 lines of level ERROR.",
            dashboard=_BOARD,
            panel="error-rate",
            loki=True,
        ),
    ),
)
