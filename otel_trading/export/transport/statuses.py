"""What receivers say about a request: google.rpc.Status, and the partial success of OTLP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from otel_trading.forks import whole_imports

if TYPE_CHECKING:
    from otel_trading.export.destination import Signal

_LONGEST_MESSAGE = 200
_LONGEST_WAIT = 3_600.0
_REJECTED: dict[Signal, str] = {
    "traces": "rejected_spans",
    "metrics": "rejected_data_points",
    "logs": "rejected_log_records",
}


def cut(message: str) -> str:
    r"""A receiver's message as it fits one line of a log.

    >>> cut("too\n many")
    'too many'
    """
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in message).split())
    return line if len(line) <= _LONGEST_MESSAGE else line[: _LONGEST_MESSAGE - 1] + "…"


def bounded_wait(seconds: float) -> float:
    """How long a receiver may ask us to wait: an hour at most.

    >>> bounded_wait(-1.0), bounded_wait(1e9)
    (0.0, 3600.0)
    """
    return min(max(0.0, seconds), _LONGEST_WAIT)


def status_of(body: bytes) -> tuple[str, float | None]:
    """The message of a ``google.rpc.Status`` in protobuf, and the seconds that its ``RetryInfo`` asks for.

    Raises ``ValueError`` when it is none.
    """
    from google.protobuf.message import DecodeError
    from google.rpc.error_details_pb2 import RetryInfo
    from google.rpc.status_pb2 import Status

    try:
        status = Status.FromString(body)
        infos = [info for detail in status.details if detail.Unpack(info := RetryInfo())]
    except DecodeError as error:
        raise ValueError("no google.rpc.Status") from error
    waits = [info.retry_delay.seconds + info.retry_delay.nanos / 1e9 for info in infos]
    return cut(status.message), bounded_wait(max(waits)) if waits else None


def partial_success(signal: Signal, body: bytes) -> tuple[int, str]:
    """How many items an answer in protobuf rejects, and its message; ``ValueError`` when it is no such answer."""
    from google.protobuf.message import DecodeError

    with whole_imports():
        answer = _answer_class(signal)
    try:
        partial = answer.FromString(body).partial_success
    except DecodeError as error:
        raise ValueError("no OTLP answer") from error
    return max(0, getattr(partial, _REJECTED[signal])), cut(partial.error_message)


def partial_success_json(signal: Signal, body: bytes) -> tuple[int, str]:
    """The same for an answer in JSON.

    >>> partial_success_json("traces", b'{"partialSuccess": {"rejectedSpans": "3", "errorMessage": "no"}}')
    (3, 'no')
    """
    answer = json.loads(body)
    partial = answer.get("partialSuccess") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(partial, dict | None):
        raise ValueError("no OTLP answer")  # noqa: TRY004 - what is wrong is what was received
    first, *words = _REJECTED[signal].split("_")
    rejected = (partial or {}).get("".join((first, *map(str.capitalize, words))), 0)
    return max(0, int(rejected)), cut(str((partial or {}).get("errorMessage", "")))


def _answer_class(signal: Signal) -> Any:  # noqa: ANN401 - protobuf classes carry no types
    if signal == "traces":
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

        return ExportTraceServiceResponse
    if signal == "metrics":
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

        return ExportMetricsServiceResponse
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

    return ExportLogsServiceResponse
