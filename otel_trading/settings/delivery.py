"""The options that say how telemetry is made and delivered."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings

from otel_trading.settings import parse
from otel_trading.settings.rows import (
    A_TIME,
    COUNT,
    MS,
    NAME,
    SECONDS,
    SWITCH,
    Count,
    Exporters,
    FromZero,
    Positive,
    Series,
    option,
)


class Delivery(BaseSettings):
    """How it goes."""

    span_queue_size: Count = option(
        16_384, "Spans that may wait for the Collector.", allowed=COUNT, env=("OTEL_BSP_MAX_QUEUE_SIZE",)
    )
    span_batch_size: Count = option(
        512,
        "Spans in one export; 4096 with engine native unless this is given.",
        allowed=COUNT,
        env=("OTEL_BSP_MAX_EXPORT_BATCH_SIZE",),
    )
    span_delay: Positive = option(
        1.0, "Longest wait of a span before its export.", allowed=SECONDS, env=(("OTEL_BSP_SCHEDULE_DELAY", MS),)
    )
    log_queue_size: Count = option(
        16_384,
        "Log records that may wait (engine sdk; with engine native as many as flight_size holds).",
        allowed=COUNT,
        env=("OTEL_BLRP_MAX_QUEUE_SIZE",),
    )
    log_batch_size: Count = option(
        512,
        "Log records in one export; 4096 with engine native unless this is given.",
        allowed=COUNT,
        env=("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",),
    )
    log_delay: Positive = option(
        1.0, "Longest wait of a log record.", allowed=SECONDS, env=(("OTEL_BLRP_SCHEDULE_DELAY", MS),)
    )
    metric_interval: Positive = option(
        10.0, "Time between two exports of metrics.", allowed=SECONDS, env=(("OTEL_METRIC_EXPORT_INTERVAL", MS),)
    )
    cardinality_limit: Series = option(
        2_000,
        "Series of one instrument; measurements with further attributes go to otel.metric.overflow (engine native).",
        allowed="a whole number from 2 up",
        restart=True,
    )
    gauge_ttl: FromZero = option(
        0.0,
        "Seconds after which a gauge that is no longer set is no longer reported; 0 keeps it (engine native).",
        allowed="a number from 0 up (seconds)",
    )
    exemplar_filter: Literal["trace_based", "always_on", "always_off"] = option(
        "trace_based",
        "Which measurements become exemplars: those in sampled spans, all, or none.",
        allowed="trace_based, always_on or always_off",
        env=("OTEL_METRICS_EXEMPLAR_FILTER",),
    )
    histogram_aggregation: Literal["base2_exponential_bucket_histogram", "explicit_bucket_histogram"] = option(
        "base2_exponential_bucket_histogram",
        "Histograms over OTLP; /metrics always has explicit buckets.",
        allowed="base2_exponential_bucket_histogram or explicit_bucket_histogram",
        env=("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",),
    )
    temporality: Literal["cumulative", "delta", "lowmemory"] = option(
        "cumulative",
        "Temporality of metrics over OTLP.",
        allowed="cumulative, delta or lowmemory",
        env=("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",),
    )
    traces_sampler: str = option(
        "parentbased_always_on",
        "Head sampler of traces.",
        allowed="always_on, always_off, traceidratio, their parentbased_ forms, or the name of an installed sampler",
        env=("OTEL_TRACES_SAMPLER",),
    )
    traces_sampler_arg: str | None = option(
        None,
        "The sampler's argument.",
        allowed="a ratio from 0 to 1 for traceidratio",
        env=("OTEL_TRACES_SAMPLER_ARG",),
    )
    traces_retention: Literal["all", "budget", "interesting"] = option(
        "budget",
        "Which traces are kept once they are complete: all; all as long as the budget holds, else the interesting ones "
        "and a share of the others; or the interesting ones (engine native).",
        allowed="all, budget or interesting",
    )
    traces_budget: Positive = option(
        100.0, "Spans a second that are kept.", allowed="a number above 0 (spans a second)"
    )
    traces_slow_percentile: Annotated[float, Field(gt=0, lt=1)] = option(
        0.99, "A trace slower than this share of its kind is interesting.", allowed="a number between 0 and 1"
    )
    traces_slippage_bps: FromZero = option(
        10.0, "Slippage above which a trace is interesting.", allowed="a number from 0 up (basis points)"
    )
    traces_max_age: Positive = option(
        30.0, "Time after which a trace is decided although it is not complete.", allowed=A_TIME
    )
    flight_enabled: bool = option(
        True,
        "The flight recorder: spans, log records and totals stand in files until they are delivered, from which the "
        "next start recovers them when the bot is killed (engine native).",
        allowed=SWITCH,
    )
    flight_folder: NAME | None = option(
        None,
        "Folder of the recordings; /dev/shm/otel-trading-<user id> or one below ~/.local/state when not given. In a "
        "container it has to be a mounted one to outlive it.",
        allowed="a path",
    )
    flight_size: Annotated[int, Field(ge=1 << 21, le=1 << 30), AfterValidator(parse.power_of_two)] = option(
        1 << 22,
        "Bytes of the newest spans that a recording holds; as many for measurements, and for log records.",
        allowed="a power of two from 2097152 to 1073741824",
    )
    flight_budget: Annotated[int, Field(ge=0)] = option(
        64 << 20, "Bytes of recordings that are kept, the newest first.", allowed="a whole number from 0 (bytes)"
    )
    flight_max_age: Positive = option(
        604_800.0, "Time after which a recording with nothing to recover is removed.", allowed=A_TIME
    )
    spool_enabled: bool = option(
        True, "The spool: what is not delivered waits on the disk, also for the next start.", allowed=SWITCH
    )
    spool_folder: NAME | None = option(
        None,
        "Folder of the spools; one below ~/.local/state when not given. In a container it has to be a mounted one to "
        "outlive it.",
        allowed="a path",
    )
    spool_budget: Annotated[int, Field(ge=1 << 20)] = option(
        256 << 20,
        "Bytes that may wait on the disk; beyond it what is not important goes first, the oldest of it.",
        allowed="a whole number from 1048576 (bytes)",
    )
    spool_memory: Annotated[int, Field(ge=1 << 20)] = option(
        16 << 20,
        "Bytes that may wait in memory while the disk cannot be used.",
        allowed="a whole number from 1048576 (bytes)",
    )
    spool_max_age: Positive = option(172_800.0, "Time after which nobody needs what waits any more.", allowed=A_TIME)
    spool_sync: Literal["none", "interval", "always"] = option(
        "none",
        "When what waits is forced onto the disk: never (a power failure may cost it, the end of the process does "
        "not), every second, or before anything else happens.",
        allowed="none, interval or always",
    )
    spool_replay_rate: Positive = option(
        4_194_304.0,
        "Bytes a second of what has waited that are sent when the Collector is back, beside what is new.",
        allowed="a number above 0 (bytes a second)",
    )
    propagators: Annotated[Exporters, AfterValidator(parse.installed_propagators)] = option(
        ("tracecontext", "baggage"),
        "How trace context travels to other services.",
        allowed="a comma separated list of installed propagators (tracecontext, baggage, none)",
        env=("OTEL_PROPAGATORS",),
        restart=True,
    )
    shutdown_timeout: Positive = option(
        5.0, "Longest time shutdown may take at exit.", allowed="a number above 0 (seconds)"
    )
    exit_signals: bool = option(
        True,
        "Whether SIGTERM and SIGHUP, where the bot does not handle them, have everything delivered before they end it; "
        "with log files SIGHUP has them opened anew, with a configuration file read anew, unless the terminal is gone.",
        allowed=SWITCH,
        restart=True,
    )
