"""The OTLP endpoint: whether one can reach it, it speaks the protocol and lets us in."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry.util.re import parse_env_headers

from otel_trading.export.delivery import Outcome, Receiver
from otel_trading.export.destination import Destination
from otel_trading.export.transport import OtlpSender
from otel_trading.extras import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_trading.export.delivery import Delivery

HTTP = "http/protobuf"
GRPC = "grpc"
CONNECT_SECONDS = 3.0
ANSWER_SECONDS = 5.0
HOP = "bot → Collector"


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, on which hop, and what to do about it."""

    hop: str
    what: str
    advice: str


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where OTLP is sent: ``url`` without a signal's path, ``protocol`` ``http/protobuf`` or ``grpc``."""

    url: str
    protocol: str = HTTP

    @property
    def host(self) -> str:
        """The host name or address."""
        return urlsplit(self._with_scheme).hostname or ""

    @property
    def port(self) -> int:
        """The port, the protocol's own where the address names none."""
        parts = urlsplit(self._with_scheme)
        implied = 4317 if self.protocol == GRPC else 443 if parts.scheme == "https" else 80
        return parts.port or implied

    @property
    def is_secure(self) -> bool:
        """Whether the connection is encrypted."""
        return urlsplit(self._with_scheme).scheme == "https"

    @property
    def _with_scheme(self) -> str:
        return self.url if "://" in self.url else f"http://{self.url}"

    def signal_url(self, signal: str) -> str:
        """Return the address of ``traces``, ``metrics`` or ``logs`` over HTTP."""
        return f"{self._with_scheme.rstrip('/')}/v1/{signal}"

    def find_problem(self) -> Problem | None:
        """Try the endpoint with an empty request; return what stands in the way, or nothing."""
        return self._find_problem_of_connection() or (
            self._find_problem_of_grpc() if self.protocol == GRPC else self._find_problem_of_http()
        )

    def _find_problem_of_connection(self) -> Problem | None:
        try:
            socket.create_connection((self.host, self.port), timeout=CONNECT_SECONDS).close()
        except socket.gaierror:
            return Problem(
                HOP,
                f"the host name {self.host!r} cannot be resolved",
                "correct OTEL_EXPORTER_OTLP_ENDPOINT or --endpoint",
            )
        except ConnectionRefusedError:
            return Problem(
                HOP,
                f"nothing listens on {self.host}:{self.port} (connection refused): the Collector is down or elsewhere",
                "start it with `otel-trading stack up`, or correct OTEL_EXPORTER_OTLP_ENDPOINT or --endpoint",
            )
        except OSError as error:
            return Problem(
                HOP,
                f"{self.host}:{self.port} does not answer ({error})",
                "check that the host is up and that no firewall drops the port",
            )
        return None

    def _find_problem_of_http(self) -> Problem | None:
        requests = require("requests", extra="cli")
        url = self.signal_url("traces")
        headers = {"Content-Type": "application/x-protobuf", **headers_from_environment()}
        try:
            answer = requests.post(url, data=b"", headers=headers, timeout=ANSWER_SECONDS)
        except requests.exceptions.SSLError as error:
            return Problem(
                HOP, f"TLS fails at {url}: {error}", "check the certificate, or use http:// for a plain port"
            )
        except requests.Timeout:
            return Problem(
                HOP,
                f"{url} took the connection and does not answer",
                "look at the Collector: `otel-trading stack logs collector`",
            )
        except requests.RequestException:
            return Problem(
                HOP,
                f"{self.host}:{self.port} listens but does not speak HTTP; that is how a gRPC port (4317) looks",
                "use --protocol grpc, or the HTTP port (4318)",
            )
        return None if answer.ok else _problem_of_status(answer.status_code, url, answer.text)

    def _find_problem_of_grpc(self) -> Problem | None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        url = f"{'https' if self.is_secure else 'http'}://{host}:{self.port}"
        headers = headers_from_environment()
        sender = OtlpSender("traces", Destination(url, GRPC, "none", ANSWER_SECONDS, headers), Receiver(url))
        delivery = sender.send(b"")
        sender.close()
        if delivery.outcome is Outcome.SENT:
            return None
        return _problem_of_grpc(delivery, f"{self.host}:{self.port}")


def headers_from_environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return what ``OTEL_EXPORTER_OTLP_HEADERS`` adds to each request."""
    environ = os.environ if environ is None else environ
    return dict(parse_env_headers(environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""), liberal=True))


def _problem_of_status(status: int, url: str, text: str) -> Problem:
    what = {
        401: (f"{url} wants a login (HTTP 401)", "set OTEL_EXPORTER_OTLP_HEADERS, e.g. Authorization=Bearer%20..."),
        403: (f"{url} refuses these credentials (HTTP 403)", "check the token in OTEL_EXPORTER_OTLP_HEADERS"),
        404: (
            f"{url} does not exist (HTTP 404): another program, or a path too much in the endpoint",
            "give the address without /v1/traces, and the port of the Collector's OTLP receiver (4318)",
        ),
        405: (f"{url} takes no POST (HTTP 405): this is not an OTLP receiver", "give the Collector's OTLP port (4318)"),
    }.get(status)
    if what is None:
        what = (f"{url} answers HTTP {status}: {text.strip()[:200]}", "look at the Collector's log")
    return Problem(HOP, *what)


def _problem_of_grpc(delivery: Delivery, target: str) -> Problem:
    reason = delivery.reason or "no answer"
    what = {
        "UNIMPLEMENTED": (f"{target} speaks gRPC but takes no OTLP traces", "give the Collector's OTLP port (4317)"),
        "UNAUTHENTICATED": (
            f"{target} wants a login",
            "set OTEL_EXPORTER_OTLP_HEADERS, e.g. authorization=Bearer%20...",
        ),
        "PERMISSION_DENIED": (f"{target} refuses these credentials", "check the token in OTEL_EXPORTER_OTLP_HEADERS"),
    }.get(delivery.code or "")
    if what is not None:
        return Problem(HOP, *what)
    if delivery.code is not None:
        return Problem(HOP, f"{target} answers {reason}", "look at the Collector's log")
    if reason.startswith("TLS fails"):
        return Problem(HOP, f"{target}: {reason}", "check the certificate, or use http:// for a plain port")
    if reason.endswith(f"within {ANSWER_SECONDS:g} s"):
        return Problem(
            HOP,
            f"{target} took the connection and does not answer",
            "use --protocol http/protobuf if this is an HTTP port; else look at the Collector's log",
        )
    return Problem(
        HOP,
        f"{target} listens but does not speak gRPC ({reason}); that is how an HTTP port (4318) looks",
        "use --protocol http/protobuf, or the gRPC port (4317)",
    )
