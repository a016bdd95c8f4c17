"""What the bot's process and machine have left, and what the bot does beside trading."""

from __future__ import annotations

from otel_trading.provisioning.promql import quantile
from otel_trading.provisioning.rules import stories
from otel_trading.provisioning.rules.expressions import BOT, happened
from otel_trading.provisioning.rules.model import Case, Rule

_BOARD = "otel-trading-health"
_DISK = {**stories.BOT, "system_filesystem_mountpoint": "/var"}
_DATABASE = {**stories.BOT, "db_system_name": "postgresql"}

RESOURCES: tuple[Rule, ...] = (
    Rule(
        name="ResourceThresholdExceeded",
        expr=f"max by ({BOT}, trading_runtime_resource) (trading_runtime_threshold_exceeded) == 1",
        for_="2m",
        severity="warning",
        summary="{{ $labels.trading_runtime_resource }} of {{ $labels.job }} is above its threshold.",
        description="The threshold is the bot's own setting.",
        dashboard=_BOARD,
        panel="thresholds-exceeded",
        cases=(
            stories.gauge(
                "trading_runtime_threshold_exceeded", {**stories.BOT, "trading_runtime_resource": "memory"}, 0, 1
            ),
        ),
    ),
    Rule(
        name="MemoryHigh",
        expr=f"max by ({BOT}) (process_memory_usage_bytes) > 1e9",
        for_="3m",
        severity="warning",
        summary="{{ $labels.job }} uses {{ $value | humanize1024 }}B of memory.",
        description="More than a gigabyte: a bot that goes on growing is killed by the system at the worst time.",
        dashboard=_BOARD,
        panel="memory",
        cases=(stories.gauge("process_memory_usage_bytes", stories.BOT, 2e8, 2**31, value="2Gi"),),
    ),
    Rule(
        name="FileDescriptorsHigh",
        expr=f"max by ({BOT}) (process_open_file_descriptor_count) > 500",
        for_="3m",
        severity="warning",
        summary="{{ $labels.job }} has {{ $value }} open file descriptors.",
        description="Connections or files that nobody closes; at the limit no connection can be opened.",
        dashboard=_BOARD,
        panel="descriptors",
        cases=(stories.gauge("process_open_file_descriptor_count", stories.BOT, 60, 600, value="600"),),
    ),
    Rule(
        name="CpuHigh",
        expr=f"sum by ({BOT}) (process_cpu_utilization_ratio) > 0.9",
        for_="3m",
        severity="warning",
        summary="{{ $labels.job }} uses {{ $value | humanizePercentage }} of the CPUs that it may use.",
        description="What has to be done at once has to wait.",
        dashboard=_BOARD,
        panel="cpu",
        cases=(
            stories.gauge(
                *("process_cpu_utilization_ratio", {**stories.BOT, "cpu_mode": "user"}, 0.2, 0.95),
                told=stories.BOT,
                value="95%",
            ),
        ),
    ),
    Rule(
        name="DiskSpaceLow",
        expr=f"max by ({BOT}, system_filesystem_mountpoint) (system_filesystem_utilization_ratio) > 0.9",
        for_="3m",
        severity="warning",
        summary="{{ $labels.system_filesystem_mountpoint }} is {{ $value | humanizePercentage }} full.",
        description="Logs, recordings and what waits for delivery are written there.",
        dashboard=_BOARD,
        panel="disk",
        cases=(stories.gauge("system_filesystem_utilization_ratio", _DISK, 0.5, 0.93, value="93%"),),
    ),
    Rule(
        name="DiskAlmostFull",
        expr=(
            f"min by ({BOT}, system_filesystem_mountpoint) "
            '(system_filesystem_usage_bytes{system_filesystem_state="free"}) < 1e9'
        ),
        for_="1m",
        severity="critical",
        summary="{{ $labels.system_filesystem_mountpoint }} has {{ $value | humanize }}B left.",
        description="Less than a gigabyte: soon nothing is recorded, and databases stop.",
        dashboard=_BOARD,
        panel="disk",
        cases=(
            stories.gauge(
                *("system_filesystem_usage_bytes", {**_DISK, "system_filesystem_state": "free"}, 9e10, 4e8),
                told=_DISK,
                value="400M",
            ),
        ),
    ),
    Rule(
        name="HostMemoryLow",
        expr=f"max by ({BOT}) (system_memory_linux_available_bytes) / max by ({BOT}) (system_memory_limit_bytes) < 0.1",
        for_="3m",
        severity="warning",
        summary="Only {{ $value | humanizePercentage }} of the memory of {{ $labels.job }}'s machine are left.",
        description="The system begins to kill processes, and this may be the bot.",
        dashboard=_BOARD,
        panel="memory",
        cases=(
            stories.gauge(
                *("system_memory_linux_available_bytes", stories.BOT, 4e9, 4e8),
                value="5%",
                beside={stories.series("system_memory_limit_bytes", stories.BOT): "8e9x200"},
            ),
        ),
    ),
    Rule(
        name="DatabaseSlow",
        expr=(
            "("
            + quantile(0.95, "db.client.operation.duration", by=["job", "instance", "db_system_name"], window="5m")
            + ") > 1"
        ),
        for_="2m",
        severity="warning",
        summary="{{ $labels.db_system_name }} takes {{ $value | humanizeDuration }} (95th percentile).",
        description="Trades should be on record within a second.",
        dashboard=_BOARD,
        panel="database",
        cases=stories.slow("db.client.operation.duration", _DATABASE, low=0.5, high=5, values=("15.39s", "4.749s")),
    ),
    Rule(
        name="RecorderLosesRecords",
        expr=(happened("trading.recorder.records", BOT, matchers='trading_record_outcome=~"failed|dropped"') + " > 0"),
        severity="warning",
        summary="{{ $labels.job }} could not record {{ $value | humanize }} records.",
        description="What is not recorded can neither be replayed nor accounted for.",
        dashboard=_BOARD,
        panel="recorder",
        cases=(
            stories.first(
                *("trading_recorder_records_total", {**stories.BOT, "trading_record_outcome": "dropped"}),
                told=stories.BOT,
            ),
        ),
    ),
    Rule(
        name="AlertsNotDelivered",
        expr=(
            happened(
                *("trading.alert.notifications", f"{BOT}, trading_alert_channel"),
                matchers='trading_alert_outcome="failed"',
            )
            + " > 0"
        ),
        severity="warning",
        summary=(
            "{{ $labels.job }} could not tell {{ $labels.trading_alert_channel }} of {{ $value | humanize }} alerts."
        ),
        description="The bot's own alerts, which are faster than these, do not arrive there.",
        dashboard=_BOARD,
        panel="notification-failures",
        cases=(
            stories.first(
                "trading_alert_notifications_total",
                {**stories.BOT, "trading_alert_channel": "desk", "trading_alert_outcome": "failed"},
                told={**stories.BOT, "trading_alert_channel": "desk"},
            ),
        ),
    ),
    Rule(
        name="ControlRefused",
        expr=f"{happened('trading.ops.refusals', f'{BOT}, trading_ops_refusal')} > 10",
        severity="warning",
        summary=(
            "{{ $value | humanize }} requests to the control server of {{ $labels.job }} were refused: "
            "{{ $labels.trading_ops_refusal }}."
        ),
        description="Somebody tries what they may not do, or a program has an old token.",
        dashboard=_BOARD,
        panel="ops-refusals",
        cases=(
            Case(
                series={
                    stories.series(
                        "trading_ops_refusals_total", stories.BOT, trading_ops_refusal="token"
                    ): "_x19 2+2x19 40x120"
                },
                labels={**stories.BOT, "trading_ops_refusal": "token"},
                value="40",
                quiet=("5m30s",),
                fires="10m",
                resolved="30m",
            ),
        ),
    ),
)
