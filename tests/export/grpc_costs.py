"""What a request over gRPC costs: the transport beside grpcio, towards grpcio's own server in another process.

python -m tests.export.grpc_costs
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import grpc

from tests.export.grpc_receiver import GrpcReceiver
from tests.export.senders import request, sender

if TYPE_CHECKING:
    from collections.abc import Callable

_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_SIZES = {"512 spans": 100 << 10, "the largest": (4 << 20) - (1 << 10)}
_RUNS = 9


def _cost(send: Callable[[], object], count: int) -> float:
    """Milliseconds of processor time of this process for one request, the median of some runs."""
    send()
    found = []
    for _ in range(_RUNS):
        started = time.process_time()
        for _ in range(count):
            send()
        found.append((time.process_time() - started) / count * 1e3)
    return statistics.median(found)


def _of_grpcio(url: str, body: bytes, compression: str, count: int) -> float:
    chosen = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
    with grpc.insecure_channel(url.removeprefix("http://")) as channel:
        call = channel.unary_unary(_METHOD)
        return _cost(lambda: call(body, 20, compression=chosen), count)


def _of_ours(url: str, body: bytes, compression: str, count: int) -> float:
    with sender(url, protocol="grpc", compression=compression) as sending:
        return _cost(lambda: sending.send(body), count)


def main() -> None:
    """Print a table."""
    server = [sys.executable, "-m", "tests.export.grpc_costs", "serve"]
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        url = receiver.stdout.readline().strip()
        for name, size in _SIZES.items():
            body = _body(size)
            for compression in ("none", "gzip"):
                count = 100 if size < 1 << 20 else 10
                costs = [each(url, body, compression, count) for each in (_of_ours, _of_grpcio)]
                columns = f"{name:<12} {len(body):>9} B  {compression:<5}"
                sys.stdout.write("{}  kit {:7.2f} ms  grpcio {:7.2f} ms\n".format(columns, *costs))
        receiver.kill()


def _body(size: int) -> bytes:
    """Spans whose names are half random, so that they compress as spans do."""
    return request(*(f"venue.request {os.urandom(60).hex()}" for _ in range(size // 184)))


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        with GrpcReceiver() as running:
            running.mode = "forget"
            sys.stdout.write(f"{running.url}\n")
            sys.stdout.flush()
            time.sleep(600)
    else:
        main()
