"""A fake Collector for OTLP over gRPC that fails as told; grpcio's own server does the talking.

    with GrpcReceiver() as receiver:
        receiver.mode = "UNAVAILABLE"       # any code, with retry_after, or "healthy", "hang", "garbage"

Where nothing has to go wrong, the tests use the real Collector instead.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.any_pb2 import Any as Packed
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from tests.export.received import Received, answer

if TYPE_CHECKING:
    from typing import Self

    from otel_trading.export.destination import Signal

_SIGNALS: dict[str, Signal] = {"TraceService": "traces", "MetricsService": "metrics", "LogsService": "logs"}


class GrpcReceiver(Received):
    """Receives OTLP/gRPC on one port; ``mode`` may be changed at any time."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None, port: int = 0) -> None:
        super().__init__()
        self.mode = "healthy"
        self.reject = 0
        self.message = ""
        self.retry_after: float | None = None
        self.asked = 0
        self._ended = threading.Event()
        self._server = grpc.server(ThreadPoolExecutor(8), [_Handlers(self)])
        if credentials is None:
            self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        else:
            self.port = self._server.add_secure_port(f"127.0.0.1:{port}", credentials)
        self.url = f"{'https' if credentials else 'http'}://127.0.0.1:{self.port}"
        self._server.start()

    def serve(self, signal: Signal, body: bytes, context: Any) -> bytes:
        """Answer one request."""
        self.asked += 1
        if self.mode == "hang":
            self._ended.wait(60)
        if self.mode == "forget":
            return b""
        if self.mode == "garbage":
            return b"\xff\xff\xff\xff no message"
        if self.mode not in {"healthy", "hang"}:
            self._fail(context)
        self.add(signal, body, {name: str(value) for name, value in context.invocation_metadata()})
        return answer(signal, self.reject, self.message)

    def _fail(self, context: Any) -> None:
        code = grpc.StatusCode[self.mode]
        if self.retry_after is not None:
            info = Packed()
            info.Pack(RetryInfo(retry_delay={"nanos": int(self.retry_after * 1e9)}))
            status = Status(code=code.value[0], message=self.message, details=[info])
            context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(code, self.message)

    def close(self) -> None:
        """Stop listening and drop all requests."""
        self._ended.set()
        self._server.stop(0).wait(10)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc carries no types
    def __init__(self, receiver: GrpcReceiver) -> None:
        self._receiver = receiver

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        signal = _SIGNALS[handler_call_details.method.split("/")[1].rsplit(".", 1)[-1]]
        return grpc.unary_unary_rpc_method_handler(lambda body, context: self._receiver.serve(signal, body, context))
