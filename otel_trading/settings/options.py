"""The one table of options: name, type, default, documentation and the environment variables that set it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from otel_trading.settings import parse

Profile = Literal["development", "staging", "production"]
Exporters = tuple[str, ...]
Parser = Callable[[str], object]
EnvNames = tuple[str | tuple[str, Parser], ...]

_NAME = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
_URL = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(parse.collector_url)]
_TRUSTED = Annotated[str, BeforeValidator(str), AfterValidator(parse.authorities)]
_OWN = Annotated[str, BeforeValidator(str), AfterValidator(parse.pem_file)]
_MS = parse.seconds_from_milliseconds


def _option(
    default: object,
    documentation: str,
    *,
    allowed: str,
    env: EnvNames = (),
    secret: bool = False,
    **constraints: Any,  # noqa: ANN401 - handed to pydantic as it is
) -> Any:  # noqa: ANN401 - the field's annotation says the type
    """One row of the table; ``env`` names standard variables, with a parser where their unit or form differs."""
    extra: Any = {"allowed": allowed, "env": env, "secret": secret}
    return Field(default, description=documentation, json_schema_extra=extra, repr=not secret, **constraints)


def _per_signal(kind: str, parser: Parser | None = None) -> dict[str, EnvNames]:
    names = {signal: f"OTEL_EXPORTER_OTLP_{signal.upper()}_{kind}" for signal in ("traces", "metrics", "logs")}
    return {signal: ((name, parser) if parser else name,) for signal, name in names.items()}


_ENDPOINT, _PROTOCOL, _HEADERS = _per_signal("ENDPOINT"), _per_signal("PROTOCOL"), _per_signal("HEADERS")
_TIMEOUT, _COMPRESSION = _per_signal("TIMEOUT", _MS), _per_signal("COMPRESSION")
_CERTIFICATE, _INSECURE = _per_signal("CERTIFICATE"), _per_signal("INSECURE")
_CLIENT_KEY, _CLIENT_CERTIFICATE = _per_signal("CLIENT_KEY"), _per_signal("CLIENT_CERTIFICATE")

_EXPORTERS = "a comma separated list of exporters (otlp, console, none, or the name of an installed one)"
_A_URL = "an http or https URL with a port up to 65535, such as http://127.0.0.1:4318"
_ANY_TEXT = "text"
_SWITCH = "true or false"
_PORT = "a port from 0 (any free one) to 65535"
_SECONDS = "a number above 0 (seconds; the OTEL_ variable counts milliseconds)"
_COUNT = "a whole number above 0"
_PEM = "a readable file in PEM"
_PAIRS = "key=value pairs, comma separated"
_PROTOCOLS = "http/protobuf or grpc"
_COMPRESSIONS = "gzip, deflate (http/protobuf only) or none"
_A_TIME = "a number above 0 (seconds)"
_SAMPLING = "a number from 1 up (seconds)"
_A_LIMIT = "a number from 0 up; 0 is no limit"
_LEVEL = "DEBUG, INFO, WARNING, ERROR or CRITICAL"

Protocol = Literal["http/protobuf", "grpc"]
Compression = Literal["gzip", "deflate", "none"]
Headers = dict[str, str]
_Port = Annotated[int, Field(ge=0, le=65_535)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Count = Annotated[int, Field(gt=0)]
_Sampling = Annotated[float, Field(ge=1, allow_inf_nan=False)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Series = Annotated[int, Field(ge=2)]
_FromZero = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """Every option of the kit, resolved: argument before environment before file before profile and default.

    Each option is also read from ``OTEL_TRADING_<NAME>``; the standard ``OTEL_*`` variable comes second.
    Times are seconds.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # Who the bot is
    profile: Profile = _option(
        "production",
        "Which defaults apply; also the resource attribute deployment.environment.name.",
        allowed="development, staging or production",
    )
    service_name: _NAME | None = _option(
        None, "The bot's name; the script's name when not given.", allowed=_ANY_TEXT, env=("OTEL_SERVICE_NAME",)
    )
    service_version: _NAME | None = _option(None, "The bot's version.", allowed=_ANY_TEXT)
    resource_attributes: Headers = _option(
        {},
        "Further resource attributes.",
        allowed=_PAIRS,
        env=("OTEL_RESOURCE_ATTRIBUTES",),
    )
    trade_execution: bool = _option(
        True,
        "Whether orders are real; the bot reads it, and trading.execution.mode (live or paper) says it.",
        allowed=_SWITCH,
    )
    database: str = _option(
        "sqlite:///otel-trading.db",
        "URL of the bot's trade database; the bot reads it.",
        allowed="a database URL such as postgresql://host/name",
        secret=True,
    )

    # What is on
    disabled: bool = _option(
        False,
        "Turns all telemetry off; the API stays and does nothing.",
        allowed=_SWITCH,
        env=("OTEL_SDK_DISABLED",),
    )
    engine: Literal["native", "sdk"] = _option(
        "native",
        "What stands behind the OpenTelemetry API for metrics and traces: the native core, or opentelemetry-sdk for "
        "comparison.",
        allowed="native or sdk",
    )
    traces_enabled: bool = _option(True, "Traces on or off.", allowed=_SWITCH)
    metrics_enabled: bool = _option(True, "Metrics on or off.", allowed=_SWITCH)
    logs_enabled: bool = _option(True, "Logs on or off.", allowed=_SWITCH)
    instrument: Exporters = _option(
        ("auto",),
        "Libraries to instrument: auto takes all that are installed, none takes nothing.",
        allowed="a comma separated list of auto, none, aiohttp-client",
    )

    # Where it goes
    traces_exporter: Exporters = _option(
        ("otlp",), "Exporters of traces.", allowed=_EXPORTERS, env=("OTEL_TRACES_EXPORTER",)
    )
    metrics_exporter: Exporters = _option(
        ("otlp",), "Exporters of metrics.", allowed=_EXPORTERS, env=("OTEL_METRICS_EXPORTER",)
    )
    logs_exporter: Exporters = _option(("otlp",), "Exporters of logs.", allowed=_EXPORTERS, env=("OTEL_LOGS_EXPORTER",))
    endpoint: _URL = _option(
        "http://127.0.0.1:4318",
        "The Collector; with grpc the port is 4317 when none is given.",
        allowed=_A_URL,
        env=("OTEL_EXPORTER_OTLP_ENDPOINT",),
    )
    traces_endpoint: _URL | None = _option(None, "Full URL for traces alone.", allowed=_A_URL, env=_ENDPOINT["traces"])
    metrics_endpoint: _URL | None = _option(
        None, "Full URL for metrics alone.", allowed=_A_URL, env=_ENDPOINT["metrics"]
    )
    logs_endpoint: _URL | None = _option(None, "Full URL for logs alone.", allowed=_A_URL, env=_ENDPOINT["logs"])
    protocol: Protocol = _option(
        "http/protobuf", "OTLP over HTTP or gRPC.", allowed=_PROTOCOLS, env=("OTEL_EXPORTER_OTLP_PROTOCOL",)
    )
    traces_protocol: Protocol | None = _option(None, "For traces alone.", allowed=_PROTOCOLS, env=_PROTOCOL["traces"])
    metrics_protocol: Protocol | None = _option(
        None, "For metrics alone.", allowed=_PROTOCOLS, env=_PROTOCOL["metrics"]
    )
    logs_protocol: Protocol | None = _option(None, "For logs alone.", allowed=_PROTOCOLS, env=_PROTOCOL["logs"])
    headers: Headers = _option(
        {}, "Headers of every export.", allowed=_PAIRS, env=("OTEL_EXPORTER_OTLP_HEADERS",), secret=True
    )
    traces_headers: Headers | None = _option(
        None, "For traces alone.", allowed=_PAIRS, env=_HEADERS["traces"], secret=True
    )
    metrics_headers: Headers | None = _option(
        None, "For metrics alone.", allowed=_PAIRS, env=_HEADERS["metrics"], secret=True
    )
    logs_headers: Headers | None = _option(None, "For logs alone.", allowed=_PAIRS, env=_HEADERS["logs"], secret=True)
    compression: Compression = _option(
        "gzip", "Compression of exports.", allowed=_COMPRESSIONS, env=("OTEL_EXPORTER_OTLP_COMPRESSION",)
    )
    traces_compression: Compression | None = _option(
        None, "For traces alone.", allowed=_COMPRESSIONS, env=_COMPRESSION["traces"]
    )
    metrics_compression: Compression | None = _option(
        None, "For metrics alone.", allowed=_COMPRESSIONS, env=_COMPRESSION["metrics"]
    )
    logs_compression: Compression | None = _option(
        None, "For logs alone.", allowed=_COMPRESSIONS, env=_COMPRESSION["logs"]
    )
    timeout: _Positive = _option(
        10.0, "Longest time of one export.", allowed=_SECONDS, env=(("OTEL_EXPORTER_OTLP_TIMEOUT", _MS),)
    )
    traces_timeout: _Positive | None = _option(None, "For traces alone.", allowed=_SECONDS, env=_TIMEOUT["traces"])
    metrics_timeout: _Positive | None = _option(None, "For metrics alone.", allowed=_SECONDS, env=_TIMEOUT["metrics"])
    logs_timeout: _Positive | None = _option(None, "For logs alone.", allowed=_SECONDS, env=_TIMEOUT["logs"])
    insecure: bool = _option(
        False,
        "Whether a gRPC endpoint without http:// or https:// is talked to without TLS.",
        allowed=_SWITCH,
        env=("OTEL_EXPORTER_OTLP_INSECURE",),
    )
    traces_insecure: bool | None = _option(None, "For traces alone.", allowed=_SWITCH, env=_INSECURE["traces"])
    metrics_insecure: bool | None = _option(None, "For metrics alone.", allowed=_SWITCH, env=_INSECURE["metrics"])
    logs_insecure: bool | None = _option(None, "For logs alone.", allowed=_SWITCH, env=_INSECURE["logs"])
    certificate: _TRUSTED | None = _option(
        None,
        "Authorities that a receiver's certificate is checked against, instead of the system's.",
        allowed=_PEM,
        env=("OTEL_EXPORTER_OTLP_CERTIFICATE",),
    )
    traces_certificate: _TRUSTED | None = _option(None, "For traces alone.", allowed=_PEM, env=_CERTIFICATE["traces"])
    metrics_certificate: _TRUSTED | None = _option(
        None, "For metrics alone.", allowed=_PEM, env=_CERTIFICATE["metrics"]
    )
    logs_certificate: _TRUSTED | None = _option(None, "For logs alone.", allowed=_PEM, env=_CERTIFICATE["logs"])
    client_key: _OWN | None = _option(
        None, "Key of client_certificate.", allowed=_PEM, env=("OTEL_EXPORTER_OTLP_CLIENT_KEY",)
    )
    traces_client_key: _OWN | None = _option(None, "For traces alone.", allowed=_PEM, env=_CLIENT_KEY["traces"])
    metrics_client_key: _OWN | None = _option(None, "For metrics alone.", allowed=_PEM, env=_CLIENT_KEY["metrics"])
    logs_client_key: _OWN | None = _option(None, "For logs alone.", allowed=_PEM, env=_CLIENT_KEY["logs"])
    client_certificate: _OWN | None = _option(
        None,
        "Certificate that receivers are shown who want to know who sends.",
        allowed=_PEM,
        env=("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",),
    )
    traces_client_certificate: _OWN | None = _option(
        None, "For traces alone.", allowed=_PEM, env=_CLIENT_CERTIFICATE["traces"]
    )
    metrics_client_certificate: _OWN | None = _option(
        None, "For metrics alone.", allowed=_PEM, env=_CLIENT_CERTIFICATE["metrics"]
    )
    logs_client_certificate: _OWN | None = _option(
        None, "For logs alone.", allowed=_PEM, env=_CLIENT_CERTIFICATE["logs"]
    )

    # How it goes
    span_queue_size: _Count = _option(
        16_384, "Spans that may wait for the Collector.", allowed=_COUNT, env=("OTEL_BSP_MAX_QUEUE_SIZE",)
    )
    span_batch_size: _Count = _option(
        512,
        "Spans in one export; 4096 with engine native unless this is given.",
        allowed=_COUNT,
        env=("OTEL_BSP_MAX_EXPORT_BATCH_SIZE",),
    )
    span_delay: _Positive = _option(
        1.0, "Longest wait of a span before its export.", allowed=_SECONDS, env=(("OTEL_BSP_SCHEDULE_DELAY", _MS),)
    )
    log_queue_size: _Count = _option(
        16_384, "Log records that may wait.", allowed=_COUNT, env=("OTEL_BLRP_MAX_QUEUE_SIZE",)
    )
    log_batch_size: _Count = _option(
        512, "Log records in one export.", allowed=_COUNT, env=("OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",)
    )
    log_delay: _Positive = _option(
        1.0, "Longest wait of a log record.", allowed=_SECONDS, env=(("OTEL_BLRP_SCHEDULE_DELAY", _MS),)
    )
    metric_interval: _Positive = _option(
        10.0, "Time between two exports of metrics.", allowed=_SECONDS, env=(("OTEL_METRIC_EXPORT_INTERVAL", _MS),)
    )
    cardinality_limit: _Series = _option(
        2_000,
        "Series of one instrument; measurements with further attributes go to otel.metric.overflow (engine native).",
        allowed="a whole number from 2 up",
    )
    gauge_ttl: _FromZero = _option(
        0.0,
        "Seconds after which a gauge that is no longer set is no longer reported; 0 keeps it (engine native).",
        allowed="a number from 0 up (seconds)",
    )
    exemplar_filter: Literal["trace_based", "always_on", "always_off"] = _option(
        "trace_based",
        "Which measurements become exemplars: those in sampled spans, all, or none.",
        allowed="trace_based, always_on or always_off",
        env=("OTEL_METRICS_EXEMPLAR_FILTER",),
    )
    histogram_aggregation: Literal["base2_exponential_bucket_histogram", "explicit_bucket_histogram"] = _option(
        "base2_exponential_bucket_histogram",
        "Histograms over OTLP; /metrics always has explicit buckets.",
        allowed="base2_exponential_bucket_histogram or explicit_bucket_histogram",
        env=("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",),
    )
    temporality: Literal["cumulative", "delta", "lowmemory"] = _option(
        "cumulative",
        "Temporality of metrics over OTLP.",
        allowed="cumulative, delta or lowmemory",
        env=("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE",),
    )
    traces_sampler: str = _option(
        "parentbased_always_on",
        "Head sampler of traces.",
        allowed="always_on, always_off, traceidratio, their parentbased_ forms, or the name of an installed sampler",
        env=("OTEL_TRACES_SAMPLER",),
    )
    traces_sampler_arg: str | None = _option(
        None,
        "The sampler's argument.",
        allowed="a ratio from 0 to 1 for traceidratio",
        env=("OTEL_TRACES_SAMPLER_ARG",),
    )
    traces_retention: Literal["all", "budget", "interesting"] = _option(
        "budget",
        "Which traces are kept once they are complete: all; all as long as the budget holds, else the interesting ones "
        "and a share of the others; or the interesting ones (engine native).",
        allowed="all, budget or interesting",
    )
    traces_budget: _Positive = _option(
        100.0, "Spans a second that are kept.", allowed="a number above 0 (spans a second)"
    )
    traces_slow_percentile: Annotated[float, Field(gt=0, lt=1)] = _option(
        0.99, "A trace slower than this share of its kind is interesting.", allowed="a number between 0 and 1"
    )
    traces_slippage_bps: _FromZero = _option(
        10.0, "Slippage above which a trace is interesting.", allowed="a number from 0 up (basis points)"
    )
    traces_max_age: _Positive = _option(
        30.0, "Time after which a trace is decided although it is not complete.", allowed=_A_TIME
    )
    flight_enabled: bool = _option(
        True,
        "The flight recorder: spans, log records and totals stand in files until they are delivered, from which the "
        "next start recovers them when the bot is killed (engine native).",
        allowed=_SWITCH,
    )
    flight_folder: _NAME | None = _option(
        None,
        "Folder of the recordings; /dev/shm/otel-trading-<user id> or one below ~/.local/state when not given. In a "
        "container it has to be a mounted one to outlive it.",
        allowed="a path",
    )
    flight_size: Annotated[int, Field(ge=1 << 21, le=1 << 30), AfterValidator(parse.power_of_two)] = _option(
        1 << 22,
        "Bytes of the newest spans that a recording holds; as many for measurements, half for log records.",
        allowed="a power of two from 2097152 to 1073741824",
    )
    flight_budget: Annotated[int, Field(ge=0)] = _option(
        64 << 20, "Bytes of recordings that are kept, the newest first.", allowed="a whole number from 0 (bytes)"
    )
    flight_max_age: _Positive = _option(
        604_800.0, "Time after which a recording with nothing to recover is removed.", allowed=_A_TIME
    )
    spool_enabled: bool = _option(
        True, "The spool: what is not delivered waits on the disk, also for the next start.", allowed=_SWITCH
    )
    spool_folder: _NAME | None = _option(
        None,
        "Folder of the spools; one below ~/.local/state when not given. In a container it has to be a mounted one to "
        "outlive it.",
        allowed="a path",
    )
    spool_budget: Annotated[int, Field(ge=1 << 20)] = _option(
        256 << 20,
        "Bytes that may wait on the disk; beyond it what is not important goes first, the oldest of it.",
        allowed="a whole number from 1048576 (bytes)",
    )
    spool_memory: Annotated[int, Field(ge=1 << 20)] = _option(
        16 << 20,
        "Bytes that may wait in memory while the disk cannot be used.",
        allowed="a whole number from 1048576 (bytes)",
    )
    spool_max_age: _Positive = _option(172_800.0, "Time after which nobody needs what waits any more.", allowed=_A_TIME)
    spool_sync: Literal["none", "interval", "always"] = _option(
        "none",
        "When what waits is forced onto the disk: never (a power failure may cost it, the end of the process does "
        "not), every second, or before anything else happens.",
        allowed="none, interval or always",
    )
    spool_replay_rate: _Positive = _option(
        4_194_304.0,
        "Bytes a second of what has waited that are sent when the Collector is back, beside what is new.",
        allowed="a number above 0 (bytes a second)",
    )
    propagators: Annotated[Exporters, AfterValidator(parse.installed_propagators)] = _option(
        ("tracecontext", "baggage"),
        "How trace context travels to other services.",
        allowed="a comma separated list of installed propagators (tracecontext, baggage, none)",
        env=("OTEL_PROPAGATORS",),
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = _option(
        "INFO", "Lowest level of log records that are exported.", allowed=_LEVEL
    )
    shutdown_timeout: _Positive = _option(
        5.0, "Longest time shutdown may take at exit.", allowed="a number above 0 (seconds)"
    )
    exit_signals: bool = _option(
        True,
        "Whether SIGTERM and SIGHUP, where the bot does not handle them, have everything delivered before they end it.",
        allowed=_SWITCH,
    )

    # What is measured without being asked for
    runtime_enabled: bool = _option(True, "Runtime telemetry as a whole on or off.", allowed=_SWITCH)
    runtime_gc: bool = _option(True, "Pauses of the garbage collector.", allowed=_SWITCH)
    runtime_event_loops: bool = _option(True, "Lag of event loops, and stalls with their culprit.", allowed=_SWITCH)
    runtime_process: bool = _option(True, "CPU, memory, threads and descriptors of the bot.", allowed=_SWITCH)
    runtime_system: bool = _option(True, "CPU, memory, disks, network and load of the machine.", allowed=_SWITCH)
    runtime_interval: _Sampling = _option(5.0, "Time between two samples of process and machine.", allowed=_SAMPLING)
    runtime_disk_interval: _Sampling = _option(30.0, "Time between two samples of the disks.", allowed=_SAMPLING)
    runtime_disk_paths: Exporters = _option(
        ("/", "."), "Paths whose file systems are measured.", allowed="a comma separated list of paths"
    )
    runtime_heartbeat: _Positive = _option(0.1, "Time between two measurements of a loop's lag.", allowed=_A_TIME)
    stall_threshold: _Positive = _option(
        1.0, "Time without an answer after which an event loop is stalled.", allowed=_A_TIME
    )
    slow_threshold: _Positive = _option(1.0, "Time from which on an operation is slow.", allowed=_A_TIME)
    memory_threshold: _FromZero = _option(
        1_073_741_824.0, "Resident memory, in bytes, that is too much.", allowed=_A_LIMIT
    )
    descriptor_threshold: _FromZero = _option(500.0, "Open descriptors that are too many.", allowed=_A_LIMIT)
    cpu_threshold: _FromZero = _option(0.9, "CPU cores, as the mean of a minute, that are too many.", allowed=_A_LIMIT)
    disk_threshold: _FromZero = _option(0.9, "Used share of a file system that is too much.", allowed=_A_LIMIT)
    container_memory_threshold: _FromZero = _option(
        0.9, "Used share of the container's memory that is too much.", allowed=_A_LIMIT
    )

    # Events, as otel_trading.metrics.events records them
    events_enabled: bool = _option(True, "Recording of events on or off.", allowed=_SWITCH)
    events_exported: bool = _option(True, "Whether what events say is exported.", allowed=_SWITCH)
    event_sampling_rate: _Share = _option(
        1.0, "Share of events that is recorded while the load is low.", allowed="a number from 0 to 1"
    )
    event_sampling_threshold: _FromZero = _option(
        1_000.0,
        "Events a second above which fewer are recorded, down to a tenth; 0 records all.",
        allowed="a number from 0 up",
    )
    event_buffer_size: Annotated[int, Field(ge=2, le=1 << 24)] = _option(
        131_072, "Events between two readings of the queue; 32 bytes each.", allowed="a whole number from 2 to 16777216"
    )
    event_interval: _Positive = _option(0.1, "Time between two readings of the queue.", allowed=_A_TIME)
    budgets: Headers = _option(
        {"candle_processing": "50ms", "signal_generation": "10ms", "order_execution": "5ms"},
        "How long stages may take.",
        allowed="stage=duration pairs, comma separated, such as order_execution=5ms",
    )

    # How it is looked at
    metric_aliases: bool = _option(
        False, "Whether metrics also leave under the names that requirement documents give them.", allowed=_SWITCH
    )
    metrics_file: _NAME | None = _option(None, "File that gets all metrics as JSON.", allowed="a path")
    metrics_file_interval: _Positive = _option(60.0, "Time between two dumps to the file.", allowed=_A_TIME)
    metrics_file_keep: Annotated[int, Field(ge=0)] = _option(
        0, "Dumps that are kept beside the latest.", allowed="a whole number from 0"
    )
    ops_enabled: bool = _option(True, "The ops server (/metrics, /status) on or off.", allowed=_SWITCH)
    ops_host: _NAME = _option("127.0.0.1", "Address of the ops server.", allowed="an address of this host")
    ops_port: _Port = _option(8080, "Port of the ops server.", allowed=_PORT)
    ops_token: _NAME | None = _option(
        None, "Bearer token of the ops server; required when it is not on loopback.", allowed=_ANY_TEXT, secret=True
    )
    summary_at_exit: bool = _option(
        False, "Whether shutdown prints what was measured, as a table on the error stream.", allowed=_SWITCH
    )
    banner: bool = _option(True, "Whether configure() prints its one line.", allowed=_SWITCH)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what is handed in: ``sources`` reads environment and files and knows where each value is from."""
        return (init_settings,)

    @field_validator("*", mode="before")
    @classmethod
    def _lists_may_be_text(cls, value: object, info: Any) -> object:  # noqa: ANN401 - pydantic's ValidationInfo
        if isinstance(value, str) and cls.model_fields[info.field_name].annotation == Exporters:
            return parse.names(value)
        return value

    @field_validator("metrics_file", "flight_folder", "spool_folder", mode="before")
    @classmethod
    def _paths_may_be_paths(cls, value: object) -> object:
        return str(value) if isinstance(value, Path) else value

    @field_validator(
        "log_level",
        "profile",
        "engine",
        "protocol",
        "compression",
        "temporality",
        "exemplar_filter",
        "spool_sync",
        mode="before",
    )
    @classmethod
    def _choices_ignore_case(cls, value: object, info: Any) -> object:  # noqa: ANN401 - pydantic's ValidationInfo
        if not isinstance(value, str):
            return value
        return value.strip().upper() if info.field_name == "log_level" else value.strip().lower()


PROFILES: dict[str, dict[str, object]] = {
    "development": {
        "log_level": "DEBUG",
        "metrics_enabled": False,
        "trade_execution": False,
        "database": "sqlite:///dev.db",
    },
    "staging": {
        "log_level": "INFO",
        "metrics_enabled": True,
        "trade_execution": False,
        "database": "postgresql://staging_db",
    },
    "production": {
        "log_level": "INFO",
        "metrics_enabled": True,
        "trade_execution": True,
        "database": "postgresql://prod_db",
    },
}
"""What each profile sets unless something above it does."""


def metadata(name: str) -> dict[str, Any]:
    """The ``allowed``, ``env`` and ``secret`` entries of an option's row.

    >>> metadata("ops_port")["allowed"]
    'a port from 0 (any free one) to 65535'
    """
    extra = Settings.model_fields[name].json_schema_extra
    if not isinstance(extra, dict):
        raise TypeError(name)
    return dict(extra)


def shown(name: str, value: object) -> str:
    """A value as people may see it: secrets are hidden.

    >>> shown("ops_token", "s3cret"), shown("ops_port", 8080)
    ('****', '8080')
    """
    if metadata(name)["secret"] and value:
        return "****"
    return value if isinstance(value, str) else json.dumps(value, default=str)
