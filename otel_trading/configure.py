"""The one call: ``configure()``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from otel_trading import forks, redaction
from otel_trading.settings import Problem, Resolved, report, resolve
from otel_trading.settings.plugins import configurator
from otel_trading.settings.standard import repaired_environment, timeout_hints, unusable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from otel_trading.export.store import Store
    from otel_trading.metrics.native import NativeMeterProvider
    from otel_trading.pipeline import Pipeline
    from otel_trading.settings import Settings
    from otel_trading.settings.logs import Level
    from otel_trading.settings.options import Compression, Exporters, Headers, Profile, Protocol, Tables
    from otel_trading.status import Status
    from otel_trading.telemetry import Telemetry
    from otel_trading.tracing.native import NativeTracerProvider

_NOWHERE = Path(os.devnull)
_DECLARED = "OTEL_CONFIG_FILE"
_lock = forks.lock()
_current: Telemetry | None = None
_native_provider: NativeMeterProvider | None = None
_native_tracers: NativeTracerProvider | None = None
_store: Store | None = None


class Options(TypedDict, total=False):
    """The keyword arguments of ``configure()``: every option of the table, and the file to read."""

    config_file: str | Path
    reload_enabled: bool
    reload_interval: float
    profile: Profile
    service_name: str
    service_version: str
    resource_attributes: Headers
    trade_execution: bool
    database: str
    disabled: bool
    engine: Literal["native", "sdk"]
    traces_enabled: bool
    metrics_enabled: bool
    logs_enabled: bool
    instrument: Exporters | str
    instrument_orders: bool
    venue_hosts: Headers
    trace_hosts: Exporters | str
    traces_exporter: Exporters | str
    metrics_exporter: Exporters | str
    logs_exporter: Exporters | str
    endpoint: str
    traces_endpoint: str
    metrics_endpoint: str
    logs_endpoint: str
    protocol: Protocol
    traces_protocol: Protocol
    metrics_protocol: Protocol
    logs_protocol: Protocol
    headers: Headers
    traces_headers: Headers
    metrics_headers: Headers
    logs_headers: Headers
    compression: Compression
    traces_compression: Compression
    metrics_compression: Compression
    logs_compression: Compression
    timeout: float
    traces_timeout: float
    metrics_timeout: float
    logs_timeout: float
    insecure: bool
    traces_insecure: bool
    metrics_insecure: bool
    logs_insecure: bool
    certificate: str | Path
    traces_certificate: str | Path
    metrics_certificate: str | Path
    logs_certificate: str | Path
    client_key: str | Path
    traces_client_key: str | Path
    metrics_client_key: str | Path
    logs_client_key: str | Path
    client_certificate: str | Path
    traces_client_certificate: str | Path
    metrics_client_certificate: str | Path
    logs_client_certificate: str | Path
    span_queue_size: int
    span_batch_size: int
    span_delay: float
    log_queue_size: int
    log_batch_size: int
    log_delay: float
    metric_interval: float
    cardinality_limit: int
    gauge_ttl: float
    exemplar_filter: Literal["trace_based", "always_on", "always_off"]
    histogram_aggregation: Literal["base2_exponential_bucket_histogram", "explicit_bucket_histogram"]
    temporality: Literal["cumulative", "delta", "lowmemory"]
    traces_sampler: str
    traces_sampler_arg: str
    traces_retention: Literal["all", "budget", "interesting"]
    traces_budget: float
    traces_slow_percentile: float
    traces_slippage_bps: float
    traces_max_age: float
    flight_enabled: bool
    flight_folder: str | Path
    flight_size: int
    flight_budget: int
    flight_max_age: float
    spool_enabled: bool
    spool_folder: str | Path
    spool_budget: int
    spool_memory: int
    spool_max_age: float
    spool_sync: Literal["none", "interval", "always"]
    spool_replay_rate: float
    propagators: Exporters | str
    log_level: Level
    log_levels: Headers
    log_file: str | Path
    log_file_level: Level
    log_errors_file: str | Path
    log_console: Literal["none", "readable", "json"]
    log_console_level: Level
    log_rotate_size: int
    log_rotate_daily: bool
    log_keep_files: int
    log_keep_days: float
    log_compress: bool
    shutdown_timeout: float
    exit_signals: bool
    ending_timeout: float
    ending_step_timeout: float
    ending_grace: float
    ending_hurry: float
    ending_close_positions: bool
    ending_signals: Exporters | str
    ending_exit: Literal["signal", "zero", "return"]
    ending_report: bool
    state_file: str | Path
    state_keep: int
    runtime_enabled: bool
    runtime_gc: bool
    runtime_event_loops: bool
    runtime_process: bool
    runtime_system: bool
    runtime_interval: float
    runtime_disk_interval: float
    runtime_disk_paths: Exporters | str
    runtime_heartbeat: float
    stall_threshold: float
    stale_after: float
    health_enabled: bool
    health_interval: float
    health_checks: Mapping[str, Mapping[str, object] | str] | str
    health_critical_venues: Exporters | str
    health_window: float
    health_connection_after: float
    health_latency_limit: float
    health_error_rate_limit: float
    health_error_share_limit: float
    health_disk_limit: float
    health_holds_for: float
    health_recovers_for: float
    health_stuck_after: float
    health_await_ready: bool
    health_systemd: bool
    health_watchdog_loops: bool
    slow_threshold: float
    memory_threshold: float
    descriptor_threshold: float
    cpu_threshold: float
    disk_threshold: float
    container_memory_threshold: float
    events_enabled: bool
    events_exported: bool
    event_sampling_rate: float
    event_sampling_threshold: float
    event_buffer_size: int
    event_interval: float
    budgets: Headers
    alerts_enabled: bool
    alerts_rules: Mapping[str, Any] | str
    alerts_routes: Sequence[Mapping[str, Any]] | str
    alerts_group_interval: float
    alerts_reminder_interval: float
    alerts_rate: int
    alerts_channels: Tables
    alerts_slack_enabled: bool
    alerts_slack_webhook_url: str
    alerts_slack_bot_token: str
    alerts_slack_channel: str
    alerts_telegram_enabled: bool
    alerts_telegram_bot_token: str
    alerts_telegram_chat_id: str | int
    alerts_discord_enabled: bool
    alerts_discord_webhook_url: str
    alerts_pagerduty_enabled: bool
    alerts_pagerduty_routing_key: str
    alerts_webhook_enabled: bool
    alerts_webhook_url: str
    alerts_webhook_secret: str
    alerts_email_enabled: bool
    alerts_email_host: str
    alerts_email_sender: str
    alerts_email_to: str
    alerts_email_username: str
    alerts_email_password: str
    alerts_folder: str | Path
    metric_symbols: Exporters | str
    session_start: str
    emergency_folder: str | Path
    emergency_file: str | Path
    emergency_signal: str
    emergency_guard: bool
    emergency_timeout: float
    metric_aliases: bool
    metrics_file: str | Path
    metrics_file_interval: float
    metrics_file_keep: int
    ops_enabled: bool
    ops_host: str
    ops_port: int
    metrics_port: int
    ops_token: str
    ops_open_probes: bool
    ops_hosts: Exporters | str
    ops_certificate: str | Path
    ops_key: str | Path
    ops_client_ca: str | Path
    ops_rate_limit: float
    summary_at_exit: bool
    banner: bool
    redaction: bool
    redaction_patterns: Sequence[str] | str
    redaction_keys: Exporters | str


def configure(**options: Unpack[Options]) -> Telemetry:
    """Set up metrics, traces and logs, and return the handle to them.

    Every option may also come from ``OTEL_TRADING_<NAME>``, from the standard ``OTEL_*`` variables, from a TOML, YAML
    or JSON file (``config_file``, ``OTEL_TRADING_CONFIG`` or ``otel-trading.toml`` in the working folder) and from the
    profile; ``otel-trading config show`` lists them all and says where each value comes from.

    Never raises into the bot and does not wait for the network: what cannot be used is reported in one line each and
    its default holds. Called again with the same options it returns the same handle; with others it reconfigures,
    and delivers what is pending under the old ones.

    >>> telemetry = configure(service_name="basis-bot", traces_exporter="none", metrics_exporter="none",
    ...                       logs_exporter="none", ops_port=0, banner=False)
    >>> telemetry.meter.create_counter("bot.frames").add(1)
    >>> telemetry.shutdown()
    True
    """
    with _lock:
        folder = _working_folder()
        resolved = resolve(options, folder=folder)
        if _current is not None and _current.delivering and _current.settings == resolved.settings:
            return _current
        repaired = unusable(os.environ)
        in_environment = [p for p in resolved.problems if isinstance(p, Problem) and p.source == "environment"]
        report(*resolved.problems, *repaired, *timeout_hints(os.environ))
        problems = [str(problem) for problem in (*resolved.problems, *repaired)]
        _redact(resolved.settings, problems)
        if _current is not None:
            _current.operations.serves = True
        with repaired_environment([*repaired, *in_environment]):
            try:
                telemetry = _configured(resolved, problems)
            except Exception as error:  # a defect of ours, or of a package we build on, must not stop the bot
                problems.append(f"telemetry is off: it cannot be set up: {type(error).__name__}: {error}")
                report(problems[-1])
                telemetry = _configured(resolve({"disabled": True}, variables={}, folder=_NOWHERE), problems)
        telemetry.reloading.begin(options, resolved, folder, _reconfigured)
        if resolved.settings.banner and "pytest" not in sys.modules:
            print(_banner(telemetry), file=sys.stderr)  # noqa: T201 - the one line that says where telemetry goes
        return telemetry


def _reconfigured(resolved: Resolved) -> list[str]:
    """Have the running telemetry work with other settings; else with the ones before, and why."""
    with _lock:
        telemetry = _current
        if telemetry is None or not telemetry.delivering:
            return ["telemetry has ended"]
        before = telemetry.resolved
        if before.settings == resolved.settings:
            telemetry.resolved = resolved
            return []
        known = set(telemetry.problems)
        with telemetry.health.reloading():
            problems = [each for each in _attempted(telemetry, resolved) if each not in known]
            if problems:
                _attempted(telemetry, before)
        if telemetry.reloading.kit.subject.ended:  # it was too slow for who ends telemetry
            telemetry.shutdown()
        return problems


def _attempted(telemetry: Telemetry, resolved: Resolved) -> list[str]:
    """Everything that is wrong with these settings once they are tried; what was switched off by hand stays off."""
    switches = telemetry.switched_off()
    levels = telemetry.levels_by_hand(resolved.settings)
    repaired = unusable(os.environ)
    in_environment = [p for p in resolved.problems if isinstance(p, Problem) and p.source == "environment"]
    problems = [str(problem) for problem in (*resolved.problems, *repaired)]
    if _redact(resolved.settings, problems) and resolved is not telemetry.resolved:
        return problems
    with repaired_environment([*repaired, *in_environment]):
        try:
            _configured(resolved, problems)
        except Exception as error:
            return [f"it cannot be set up: {type(error).__name__}: {error}"]
    for switch in switches:
        switch.enabled = False
    levels()
    return list(telemetry.problems)


def _redact(settings: Settings, problems: list[str]) -> list[str]:
    """Mask secrets as the settings say; which of that cannot be done."""
    unusable_patterns = redaction.use(settings.redaction_patterns, settings.redaction_keys, enabled=settings.redaction)
    report(*unusable_patterns)
    problems += unusable_patterns
    return unusable_patterns


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except OSError:  # it was removed
        return _NOWHERE


def _configured(resolved: Resolved, problems: list[str]) -> Telemetry:
    """Build everything, hand it to the handle, and make it global at the first time."""
    global _current  # noqa: PLW0603 - OpenTelemetry's providers are global, and so is what feeds them
    from otel_trading.instrument import reporting
    from otel_trading.instrument.registry import instrument
    from otel_trading.logs.bridge import Bridge
    from otel_trading.logs.levels import LEVELS
    from otel_trading.logs.switch import SwitchLoggerProvider
    from otel_trading.metrics.switch import SwitchMeterProvider
    from otel_trading.telemetry import Telemetry
    from otel_trading.tracing.switch import SwitchTracerProvider

    settings = resolved.settings
    on = not settings.disabled
    declared = _declared(problems)
    native = _native(resolved, problems) if declared is None else None
    if native is not None and _current is not None:
        _current.settle()
    pipeline = declared or _built(resolved, native, problems)
    first = _current is None
    telemetry = _current or Telemetry(
        SwitchMeterProvider(pipeline.meter_provider, pipeline.ledgers["metrics"]),
        SwitchTracerProvider(pipeline.tracer_provider, pipeline.ledgers["traces"]),
        SwitchLoggerProvider(pipeline.logger_provider),
    )
    LEVELS.configure(settings.log_level, settings.log_levels)
    printed = settings.log_console != "none"
    bridge = Bridge(telemetry.logger_provider, printed) if on and settings.logs_enabled else None
    if not first:
        telemetry.replace(pipeline)
    telemetry.resolved = resolved  # which instrumentations that start at once ask for
    reporting.use(
        lambda: reporting.Reporting(
            *(telemetry.meter, telemetry.tracer, lambda: telemetry.trading),
            telemetry.settings.venue_hosts,
            orders=telemetry.settings.instrument_orders,
            trace_hosts=tuple(telemetry.settings.trace_hosts),
            enabled=lambda: telemetry.enabled,
            guard=telemetry.risk.refusal if telemetry.settings.emergency_guard else None,
        )
    )
    undo, instrument_problems = instrument(settings.instrument) if on else ([], [])
    ops_problems = telemetry.operations.apply(settings)
    late: list[Problem | str] = [*pipeline.problems, *ops_problems, *instrument_problems]
    report(*late)
    telemetry.start(resolved, pipeline, bridge, undo, problems + [str(problem) for problem in late])
    _current = telemetry
    if bridge is not None:
        bridge.attach()
    if first:
        _make_global(telemetry)
        if declared is None:
            _set_propagators(settings.propagators)
    return telemetry


def _built(resolved: Resolved, native: NativeMeterProvider | None, problems: list[str]) -> Pipeline:
    from otel_trading import __version__
    from otel_trading.building import build_pipeline
    from otel_trading.resource import build_resource

    settings = resolved.settings
    resource = build_resource(settings, __version__)
    store = _spool(settings, str(resource.attributes["service.name"]), problems)
    return build_pipeline(resolved, resource, native, _tracers(settings), store)


def _spool(settings: Settings, service: str, problems: list[str]) -> Store:
    """The process's spool with these settings: the one in use if they are the same, so that nobody has to adopt it."""
    global _store  # noqa: PLW0603 - what one pipeline leaves in it the next delivers
    from otel_trading.export.store import Store, terms_of

    terms, wrong = terms_of(settings, service)
    problems += wrong
    report(*wrong)
    if _store is None or _store.closed or _store.terms != terms:
        _store = Store(terms)
    return _store


def _native(resolved: Resolved, problems: list[str]) -> NativeMeterProvider | None:
    """The process's native meter provider with these settings; ``None`` when the engine is another."""
    global _native_provider  # noqa: PLW0603 - its instruments and totals are the process's, like OpenTelemetry's provider
    settings = resolved.settings
    if settings.engine != "native":
        if _native_provider is not None:
            message = "engine=sdk comes after engine=native: instruments made so far are no longer exported; restart"
            problems.append(message)
            report(message)
        return None
    from otel_trading.metrics.native import NativeMeterProvider

    if _native_provider is None:
        _native_provider = NativeMeterProvider(
            cardinality_limit=settings.cardinality_limit,
            meter_configurator=configurator("meter", os.environ),
        )
    _native_provider.registry.gauge_ttl = settings.gauge_ttl
    _native_provider.registry.exemplars = settings.exemplar_filter
    return _native_provider


def _tracers(settings: Settings) -> NativeTracerProvider | None:
    """The process's native tracer provider; ``None`` when the engine is another."""
    global _native_tracers  # noqa: PLW0603 - libraries keep its tracers
    if settings.engine != "native":
        return None
    if _native_tracers is None:
        from otel_trading.tracing.native import NativeTracerProvider

        _native_tracers = NativeTracerProvider(sampler="parent_on")  # until the settings say otherwise
    return _native_tracers


def _declared(problems: list[str]) -> Pipeline | None:
    """The pipeline of ``OTEL_CONFIG_FILE``, if it is set and can be used."""
    path = os.environ.get(_DECLARED, "").strip()
    if not path:
        return None
    from otel_trading.declared import build_declared_pipeline

    try:
        return build_declared_pipeline(path)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        message = f"{_DECLARED}={path} cannot be used: {reason}; the other options hold"
    report(message)
    problems.append(message)
    return None


def _make_global(telemetry: Telemetry) -> None:
    from opentelemetry import _logs, metrics, trace

    metrics.set_meter_provider(telemetry.meter_provider)
    trace.set_tracer_provider(telemetry.tracer_provider)
    _logs.set_logger_provider(telemetry.logger_provider)
    os.register_at_fork(after_in_child=telemetry.restart_in_child)


def _set_propagators(names: tuple[str, ...]) -> None:
    from importlib.metadata import entry_points

    from opentelemetry.propagate import set_global_textmap
    from opentelemetry.propagators.composite import CompositePropagator

    found = [entry.load()() for name in names for entry in entry_points(group="opentelemetry_propagator", name=name)]
    set_global_textmap(CompositePropagator(found))


def _banner(telemetry: Telemetry) -> str:
    from otel_trading import __version__

    status = telemetry.status()
    where = "off" if telemetry.settings.disabled else _where(status, telemetry.settings.protocol)
    ops = status.ops_url or "no ops server"
    return " · ".join([f"otel-trading {__version__}", status.service, status.profile, where, ops])


def _where(status: Status, protocol: Protocol) -> str:
    name = "OTLP/gRPC" if protocol == "grpc" else "OTLP"
    unreachable = {_base(url) for url in status.unreachable}
    places = dict.fromkeys(_base(url) for targets in status.targets.values() for url in targets)
    return (
        ", ".join(
            f"{name} {url} ({'not reachable' if url in unreachable else 'reachable'})" if "://" in url else url
            for url in places
        )
        or "exported nowhere"
    )


def _base(url: str) -> str:
    """A URL without the path of the signal."""
    return url.partition("/v1/")[0]
