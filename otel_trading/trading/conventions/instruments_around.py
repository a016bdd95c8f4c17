"""The instruments around trading: the runtime, the process, the machine, requests, and telemetry itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.trading.conventions.model import Instrument

if TYPE_CHECKING:
    from otel_trading.trading.conventions.model import Kind


def _seen(kind: Kind, name: str, unit: str, text: str, *attributes: str, optional: str = "") -> Instrument:
    return Instrument(name, kind, unit, text, attributes, observable=True, optional=tuple(optional.split()))


def _own(kind: Kind, name: str, unit: str, text: str, *attributes: str, optional: str = "") -> Instrument:
    return Instrument(name, kind, unit, text, attributes, optional=tuple(optional.split()))


_REQUEST_SECONDS = (
    *(0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2),
    *(0.25, 0.5, 1, 2, 2.5, 5, 10, 30),
)
_SUBJECT = "trading.runtime.subject"
_DISK = ("system.device", "system.filesystem.mountpoint")

_RUNTIME = (
    _own(
        *("histogram", "trading.runtime.gc.duration", "s"),
        *("Time the interpreter stood still for a garbage collection.", "cpython.gc.generation"),
    ),
    _own("histogram", "trading.runtime.task.delay", "s", "From a task's creation to its first step."),
    _own("counter", "trading.runtime.tasks", "{task}", "Tasks created."),
    _own(
        *("histogram", "trading.runtime.executor.wait.duration", "s"),
        *("From handing work to an executor to its beginning.", "executor.name"),
    ),
    _own("counter", "trading.runtime.gc.dropped", "{pause}", "Pauses that came faster than they were recorded."),
    _own("histogram", "trading.runtime.event_loop.lag", "s", "How late an event loop calls what is due."),
    _own(
        *("counter", "trading.runtime.event_loop.stalls", "{stall}"),
        *("Event loops that did not answer for the threshold's time.",),
    ),
    _own(
        *("histogram", "trading.runtime.event_loop.stall.duration", "s"),
        *("How long stalled event loops did not answer.",),
    ),
    _seen(
        *("up_down_counter", "trading.runtime.event_loop.stalled", "{event_loop}"),
        *("Event loops stalled at this moment.",),
    ),
    _own(
        *("counter", "trading.runtime.slow_operations", "{operation}"),
        *("Operations that took longer than their threshold.", "trading.stage.name"),
        optional="error.type",
    ),
    _own(
        *("counter", "trading.runtime.threshold.crossings", "{crossing}"),
        *("Thresholds exceeded and recovered from, by resource.", "trading.runtime.resource"),
        *("trading.runtime.threshold.direction",),
        optional=_SUBJECT,
    ),
    _seen(
        *("gauge", "trading.runtime.threshold.exceeded", "{resource}", "1 where a resource is above its threshold."),
        *("trading.runtime.resource",),
        optional=_SUBJECT,
    ),
    _seen(
        *("counter", "trading.runtime.errors", "{error}", "Errors inside runtime telemetry, by component."),
        *("trading.runtime.component", "error.type"),
    ),
    _seen("counter", "cpython.gc.collections", "{collection}", "Collections, by generation.", "cpython.gc.generation"),
    _seen(
        *("counter", "cpython.gc.collected_objects", "{object}", "Objects collected, by generation."),
        *("cpython.gc.generation",),
    ),
    _seen(
        *("counter", "cpython.gc.uncollectable_objects", "{object}", "Objects that cannot be collected."),
        *("cpython.gc.generation",),
    ),
)

_PROCESS = (
    _seen("counter", "process.cpu.time", "s", "CPU seconds of the process, by mode.", "cpu.mode"),
    _seen(
        *("gauge", "process.cpu.utilization", "1"),
        *("CPU time of the process, as a share of the CPUs it may use.", "cpu.mode"),
    ),
    _seen("up_down_counter", "process.memory.usage", "By", "Physical memory in use by the process."),
    _seen("up_down_counter", "process.memory.virtual", "By", "Virtual memory of the process."),
    _seen("up_down_counter", "process.thread.count", "{thread}", "Threads of the process."),
    _seen("up_down_counter", "process.open_file_descriptor.count", "{file_descriptor}", "Open file descriptors."),
    _seen("up_down_counter", "process.socket.count", "{socket}", "Open sockets of the process."),
    _seen("up_down_counter", "process.open_file.count", "{file}", "Open files of the process, devices left out."),
    _seen(
        *("counter", "process.context_switches", "{context_switch}", "Context switches of the process, by type."),
        *("process.context_switch.type",),
    ),
)

_SYSTEM = (
    _seen("gauge", "system.cpu.utilization", "1", "Share of the CPUs' time, by mode.", "cpu.mode"),
    _seen("up_down_counter", "system.memory.usage", "By", "Memory of the machine, by state.", "system.memory.state"),
    _seen(
        "gauge", "system.memory.utilization", "1", "Share of the machine's memory, by state.", "system.memory.state"
    ),
    _seen("up_down_counter", "system.memory.limit", "By", "Memory of the machine."),
    _seen("up_down_counter", "system.memory.linux.available", "By", "Memory that programs can still get."),
    _seen("up_down_counter", "container.memory.usage", "By", "Memory that counts against the container's limit."),
    _seen("up_down_counter", "container.memory.working_set", "By", "The part of it that is not readily given back."),
    _seen("up_down_counter", "container.memory.available", "By", "What the container's limit leaves."),
    _seen(
        *("up_down_counter", "system.network.connection.count", "{connection}", "Sockets in use, by transport."),
        *("network.transport",),
    ),
    _seen(
        *("counter", "system.network.io", "By", "Bytes transferred, by interface and direction."),
        *("network.interface.name", "network.io.direction"),
    ),
    _seen("gauge", "system.cpu.load_average.1m", "{thread}", "Average load of the last minute."),
    _seen("gauge", "system.cpu.load_average.5m", "{thread}", "Average load of the last 5 minutes."),
    _seen("gauge", "system.cpu.load_average.15m", "{thread}", "Average load of the last 15 minutes."),
    _seen(
        *("up_down_counter", "system.filesystem.usage", "By", "Space of a file system, by state."),
        *(*_DISK, "system.filesystem.state"),
    ),
    _seen("gauge", "system.filesystem.utilization", "1", "Used share of the space of a file system.", *_DISK),
)  # fmt: skip

_REQUESTS = (
    Instrument(
        *("http.client.request.duration", "histogram", "s", "Duration of HTTP client requests."),
        ("http.request.method", "server.address", "server.port"),
        bounds=_REQUEST_SECONDS,
        optional=(
            *("error.type", "http.response.status_code", "network.protocol.version", "network.protocol.name"),
            *("url.scheme", "url.template"),
        ),
    ),
    _own(
        *("histogram", "db.client.operation.duration", "s", "Duration of database client operations."),
        *("db.system.name",),
        optional="db.namespace db.operation.name db.collection.name error.type server.address server.port",
    ),
)

_TELEMETRY = (
    _seen("counter", "trading.telemetry.events", "{event}", "Items handed to telemetry.", "signal"),
    _seen("counter", "trading.telemetry.sent", "{event}", "Items that receivers confirmed.", "signal"),
    _seen(
        *("counter", "trading.telemetry.retried", "{event}"),
        *("Items whose request found no answer and was sent again.", "signal"),
    ),
    _seen(
        *("counter", "trading.telemetry.repeated", "{event}"),
        *("Items that may have arrived twice, as an answer was lost.", "signal"),
    ),
    _seen(
        *("counter", "trading.telemetry.recovered", "{event}"),
        *("Items of processes before this one that were delivered or dropped.", "signal"),
    ),
    _seen(
        "counter", "trading.telemetry.exported.requests", "{request}", "Requests that receivers confirmed.", "signal"
    ),
    _seen(
        "counter", "trading.telemetry.exported.size", "By", "Bytes of those requests, before compression.", "signal"
    ),
    _seen(
        *("counter", "trading.telemetry.dropped", "{event}"),
        *("Items that were lost, by signal, reason and lane, log records also by level.",),
        *("signal", "reason"),
        optional="lane log.level",
    ),
    _seen(
        *("counter", "trading.telemetry.redactions", "{redaction}"),
        *("Secrets that were masked, by what they are.", "kind"),
    ),
    _seen(
        *("gauge", "trading.telemetry.pending", "{event}", "Items on their way, by where they wait."),
        *("signal", "place"),
    ),
    _seen("gauge", "trading.telemetry.spool.size", "By", "Bytes of requests that wait in the spool.", "signal"),
    _seen("gauge", "trading.telemetry.spool.age", "s", "Age of the oldest request in the spool.", "signal"),
    _seen(
        *("counter", "trading.telemetry.traces.decisions", "{span}"),
        *("Spans of traces that were kept or left out, by reason (engine native).", "decision", "reason"),
    ),
    _seen(
        *("counter", "trading.telemetry.overflow", "{measurement}"),
        *("Measurements in otel.metric.overflow, because their instrument has too many series.",),
    ),
    _own(
        *("histogram", "trading.telemetry.export.duration", "s"),
        *("Duration of requests to receivers, answered or not.", "signal"),
    ),
    _seen("gauge", "trading.telemetry.sampling.ratio", "1", "Share of events that is recorded."),
    _seen("gauge", "trading.telemetry.buffer.utilization.ratio", "1", "The fullest the event queue was."),
    _own(
        *("histogram", "trading.span.duration", "s", "Spans of all traces, those that are not kept too."),
        *("span.name", "span.kind", "status.code"),
    ),
    _own("histogram", "otel_trading.doctor.duration", "s", "How long it took to write the canary."),
)  # fmt: skip

_OPS = (
    _own(
        *("histogram", "trading.ops.request.duration", "s", "How long requests to the ops server took."),
        *("http.route", "http.response.status_code"),
    ),
    _own(
        *("counter", "trading.ops.changes", "{change}", "Changes asked for over the ops server."),
        *("trading.ops.change", "trading.ops.outcome"),
    ),
    _own(
        *("counter", "trading.ops.refusals", "{request}", "Requests that the ops server refused."),
        *("trading.ops.refusal",),
    ),
)

AROUND: tuple[Instrument, ...] = (*_RUNTIME, *_PROCESS, *_SYSTEM, *_REQUESTS, *_TELEMETRY, *_OPS)
"""All of them."""
