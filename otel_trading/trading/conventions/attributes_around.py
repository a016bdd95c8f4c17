"""The attributes around trading: OpenTelemetry's own that the kit uses, and those of the kit's figures about itself."""

from __future__ import annotations

from otel_trading.trading.conventions.model import Attribute


def _word(name: str, text: str, *values: str, key: str = "") -> Attribute:
    return Attribute(name, key, "string", text, None, values, metric=True)


_OPENTELEMETRY = (
    _word("error.type", "The class of the error, where there was one.", key="error_type"),
    _word("server.address", "The host that was asked.", key="server"),
    Attribute("server.port", "", "int", "Its port.", metric=True),
    _word("network.io.direction", "Which way.", "receive", "transmit", key="direction"),
    _word("network.interface.name", "The network interface."),
    _word("network.transport", "The transport.", "tcp", "udp"),
    _word("network.protocol.version", "The version of the protocol."),
    _word("network.protocol.name", "The protocol."),
    _word("http.request.method", "The method of the request.", key="http_method"),
    Attribute("http.response.status_code", "http_status", "int", "The answer's status.", metric=True),
    _word("http.route", "The path of the URL as the server knows it."),
    Attribute("http.request.resend_count", "resend_count", "int", "How many times it was sent again."),
    _word("url.scheme", "The scheme of the URL."),
    _word("url.template", "The path of the URL with names for what differs from request to request."),
    _word("executor.name", "The executor, by the names of its threads."),
    _word("db.system.name", "The data base's product."),
    _word("db.namespace", "The data base."),
    _word("db.operation.name", "The operation.", key="db_operation"),
    _word("db.collection.name", "The table."),
    _word("cpu.mode", "What the CPU did.", "user", "system", "nice", "idle", "iowait", "steal", "interrupt"),
    _word("system.memory.state", "What memory is used for.", "used", "free", "buffers", "cached"),
    _word("system.filesystem.state", "What space is used for.", "used", "free", "reserved"),
    _word("system.filesystem.mountpoint", "Where the file system is."),
    _word("system.device", "The device."),
    _word("process.context_switch.type", "Why.", "voluntary", "involuntary"),
    _word("cpython.gc.generation", "The generation that was collected."),
    Attribute("otel.metric.overflow", "", "boolean", "The series of all beyond a limit.", metric=True),
    _word("queue.name", "The queue.", key="queue"),
    _word("log.level", "The level of log lines.", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    Attribute("log.tags", "", "string[]", "The tags of a log line."),
    Attribute("exception.type", "", "string", "The class of an exception."),
    Attribute("exception.message", "", "string", "What it says."),
    Attribute("exception.stacktrace", "", "string", "Where it was raised."),
)  # fmt: skip

_ITSELF = (
    _word("kind", "What kind of secret: `api_key`, `password`, `private_key`."),
    _word("signal", "What kind of telemetry.", "traces", "metrics", "logs", "events"),
    _word("reason", "Why an item was lost or a trace was kept."),
    _word("lane", "How much items matter.", "important", "low"),
    _word("place", "Where items wait.", "memory", "spool"),
    _word("decision", "What became of a trace.", "kept", "dropped"),
    _word("span.name", "The span's name."),
    _word("span.kind", "The span's kind."),
    _word("status.code", "The span's status.", "unset", "ok", "error"),
    _word(
        *("trading.ops.change", "What was to change.", "emergency_stop", "emergency_resume", "log_level", "sampling"),
        *("flight_snapshot", "alert_silence", "alert_silence_end", "alert_test", "alert_acknowledge"),
        *("login", "logout"),
    ),
    _word("trading.ops.outcome", "What came of it.", "done", "refused", "failed"),
    _word(
        *("trading.ops.refusal", "Why a request was refused.", "token", "barred", "rate", "host", "origin", "form"),
    ),
    _word("trading.runtime.component", "The part of runtime telemetry."),
    _word("trading.runtime.resource", "The resource that has a threshold."),
    _word("trading.runtime.subject", "Of several, which one."),
    _word("trading.runtime.threshold.direction", "Which way.", "exceeded", "recovered"),
    Attribute("trading.trace.kept", "", "string", "Why the trace was kept."),
    Attribute("otel_trading.doctor.run", "", "string", "The run of `otel-trading doctor`."),
)

AROUND: tuple[Attribute, ...] = _OPENTELEMETRY + _ITSELF
"""All of them."""
