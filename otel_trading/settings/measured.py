"""The options of what is measured without being asked for, and of events."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from otel_trading.settings import parse
from otel_trading.settings.rows import (
    A_LIMIT,
    A_TIME,
    SAMPLING,
    SWITCH,
    Exporters,
    FromZero,
    Headers,
    Positive,
    Sampling,
    Share,
    option,
)


class Measured(BaseSettings):
    """What is measured without being asked for."""

    runtime_enabled: bool = option(True, "Runtime telemetry as a whole on or off.", allowed=SWITCH)
    runtime_gc: bool = option(True, "Pauses of the garbage collector.", allowed=SWITCH)
    runtime_event_loops: bool = option(True, "Lag of event loops, and stalls with their culprit.", allowed=SWITCH)
    runtime_process: bool = option(True, "CPU, memory, threads and descriptors of the bot.", allowed=SWITCH)
    runtime_system: bool = option(True, "CPU, memory, disks, network and load of the machine.", allowed=SWITCH)
    runtime_interval: Sampling = option(5.0, "Time between two samples of process and machine.", allowed=SAMPLING)
    runtime_disk_interval: Sampling = option(30.0, "Time between two samples of the disks.", allowed=SAMPLING)
    runtime_disk_paths: Exporters = option(
        ("/", "."), "Paths whose file systems are measured.", allowed="a comma separated list of paths"
    )
    runtime_heartbeat: Positive = option(0.1, "Time between two measurements of a loop's lag.", allowed=A_TIME)
    stall_threshold: Positive = option(
        1.0, "Time without an answer after which an event loop is stalled.", allowed=A_TIME
    )
    slow_threshold: Positive = option(1.0, "Time from which on an operation is slow.", allowed=A_TIME)
    memory_threshold: FromZero = option(
        1_073_741_824.0, "Resident memory, in bytes, that is too much.", allowed=A_LIMIT
    )
    descriptor_threshold: FromZero = option(500.0, "Open descriptors that are too many.", allowed=A_LIMIT)
    cpu_threshold: FromZero = option(0.9, "CPU cores, as the mean of a minute, that are too many.", allowed=A_LIMIT)
    disk_threshold: FromZero = option(0.9, "Used share of a file system that is too much.", allowed=A_LIMIT)
    container_memory_threshold: FromZero = option(
        0.9, "Used share of the container's memory that is too much.", allowed=A_LIMIT
    )

    stale_after: Positive = option(
        30.0,
        "Time without market data after which a subscription is stale, unless it has a limit of its own.",
        allowed=A_TIME,
    )

    # Events, as otel_trading.metrics.events records them
    events_enabled: bool = option(True, "Recording of events on or off.", allowed=SWITCH)
    events_exported: bool = option(True, "Whether what events say is exported.", allowed=SWITCH)
    event_sampling_rate: Share = option(
        1.0, "Share of events that is recorded while the load is low.", allowed="a number from 0 to 1"
    )
    event_sampling_threshold: FromZero = option(
        1_000.0,
        "Events a second above which fewer are recorded, down to a tenth; 0 records all.",
        allowed="a number from 0 up",
    )
    event_buffer_size: Annotated[int, Field(ge=2, le=1 << 24)] = option(
        131_072, "Events between two readings of the queue; 32 bytes each.", allowed="a whole number from 2 to 16777216"
    )
    event_interval: Positive = option(0.1, "Time between two readings of the queue.", allowed=A_TIME)
    budgets: Headers = option(
        {"candle_processing": "50ms", "signal_generation": "10ms", "order_execution": "5ms"},
        "How long stages may take.",
        allowed="stage=duration pairs, comma separated, such as order_execution=5ms",
    )

    # Trading events
    metric_symbols: Exporters = option(
        (),
        "Symbols that metrics of trading events tell apart, all others are __other__; none tells all apart.",
        allowed="a comma separated list of symbols such as BTC/USDT",
    )
    session_start: Annotated[str, AfterValidator(parse.time_of_day)] = option(
        "00:00",
        "When the trading day begins, in UTC: profit of the day begins at zero.",
        allowed="a time such as 17:00",
    )
