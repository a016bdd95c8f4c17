"""The options that say where telemetry goes."""

from __future__ import annotations

from pydantic_settings import BaseSettings

from otel_trading.settings.rows import (
    A_URL,
    CERTIFICATE,
    CLIENT_CERTIFICATE,
    CLIENT_KEY,
    COMPRESSION,
    COMPRESSIONS,
    ENDPOINT,
    EXPORTERS,
    HEADERS,
    INSECURE,
    MS,
    OWN,
    PAIRS,
    PEM,
    PROTOCOL,
    PROTOCOLS,
    SECONDS,
    SWITCH,
    TIMEOUT,
    TRUSTED,
    URL,
    Compression,
    Exporters,
    Headers,
    Positive,
    Protocol,
    option,
)


class Receivers(BaseSettings):
    """Where it goes."""

    traces_exporter: Exporters = option(
        ("otlp",), "Exporters of traces.", allowed=EXPORTERS, env=("OTEL_TRACES_EXPORTER",)
    )
    metrics_exporter: Exporters = option(
        ("otlp",), "Exporters of metrics.", allowed=EXPORTERS, env=("OTEL_METRICS_EXPORTER",)
    )
    logs_exporter: Exporters = option(("otlp",), "Exporters of logs.", allowed=EXPORTERS, env=("OTEL_LOGS_EXPORTER",))
    endpoint: URL = option(
        "http://127.0.0.1:4318",
        "The Collector; with grpc the port is 4317 when none is given.",
        allowed=A_URL,
        env=("OTEL_EXPORTER_OTLP_ENDPOINT",),
    )
    traces_endpoint: URL | None = option(None, "Full URL for traces alone.", allowed=A_URL, env=ENDPOINT["traces"])
    metrics_endpoint: URL | None = option(None, "Full URL for metrics alone.", allowed=A_URL, env=ENDPOINT["metrics"])
    logs_endpoint: URL | None = option(None, "Full URL for logs alone.", allowed=A_URL, env=ENDPOINT["logs"])
    protocol: Protocol = option(
        "http/protobuf", "OTLP over HTTP or gRPC.", allowed=PROTOCOLS, env=("OTEL_EXPORTER_OTLP_PROTOCOL",)
    )
    traces_protocol: Protocol | None = option(None, "For traces alone.", allowed=PROTOCOLS, env=PROTOCOL["traces"])
    metrics_protocol: Protocol | None = option(None, "For metrics alone.", allowed=PROTOCOLS, env=PROTOCOL["metrics"])
    logs_protocol: Protocol | None = option(None, "For logs alone.", allowed=PROTOCOLS, env=PROTOCOL["logs"])
    headers: Headers = option(
        {}, "Headers of every export.", allowed=PAIRS, env=("OTEL_EXPORTER_OTLP_HEADERS",), secret=True
    )
    traces_headers: Headers | None = option(
        None, "For traces alone.", allowed=PAIRS, env=HEADERS["traces"], secret=True
    )
    metrics_headers: Headers | None = option(
        None, "For metrics alone.", allowed=PAIRS, env=HEADERS["metrics"], secret=True
    )
    logs_headers: Headers | None = option(None, "For logs alone.", allowed=PAIRS, env=HEADERS["logs"], secret=True)
    compression: Compression = option(
        "gzip", "Compression of exports.", allowed=COMPRESSIONS, env=("OTEL_EXPORTER_OTLP_COMPRESSION",)
    )
    traces_compression: Compression | None = option(
        None, "For traces alone.", allowed=COMPRESSIONS, env=COMPRESSION["traces"]
    )
    metrics_compression: Compression | None = option(
        None, "For metrics alone.", allowed=COMPRESSIONS, env=COMPRESSION["metrics"]
    )
    logs_compression: Compression | None = option(
        None, "For logs alone.", allowed=COMPRESSIONS, env=COMPRESSION["logs"]
    )
    timeout: Positive = option(
        10.0, "Longest time of one export.", allowed=SECONDS, env=(("OTEL_EXPORTER_OTLP_TIMEOUT", MS),)
    )
    traces_timeout: Positive | None = option(None, "For traces alone.", allowed=SECONDS, env=TIMEOUT["traces"])
    metrics_timeout: Positive | None = option(None, "For metrics alone.", allowed=SECONDS, env=TIMEOUT["metrics"])
    logs_timeout: Positive | None = option(None, "For logs alone.", allowed=SECONDS, env=TIMEOUT["logs"])
    insecure: bool = option(
        False,
        "Whether a gRPC endpoint without http:// or https:// is talked to without TLS.",
        allowed=SWITCH,
        env=("OTEL_EXPORTER_OTLP_INSECURE",),
    )
    traces_insecure: bool | None = option(None, "For traces alone.", allowed=SWITCH, env=INSECURE["traces"])
    metrics_insecure: bool | None = option(None, "For metrics alone.", allowed=SWITCH, env=INSECURE["metrics"])
    logs_insecure: bool | None = option(None, "For logs alone.", allowed=SWITCH, env=INSECURE["logs"])
    certificate: TRUSTED | None = option(
        None,
        "Authorities that a receiver's certificate is checked against, instead of the system's.",
        allowed=PEM,
        env=("OTEL_EXPORTER_OTLP_CERTIFICATE",),
    )
    traces_certificate: TRUSTED | None = option(None, "For traces alone.", allowed=PEM, env=CERTIFICATE["traces"])
    metrics_certificate: TRUSTED | None = option(None, "For metrics alone.", allowed=PEM, env=CERTIFICATE["metrics"])
    logs_certificate: TRUSTED | None = option(None, "For logs alone.", allowed=PEM, env=CERTIFICATE["logs"])
    client_key: OWN | None = option(
        None, "Key of client_certificate.", allowed=PEM, env=("OTEL_EXPORTER_OTLP_CLIENT_KEY",)
    )
    traces_client_key: OWN | None = option(None, "For traces alone.", allowed=PEM, env=CLIENT_KEY["traces"])
    metrics_client_key: OWN | None = option(None, "For metrics alone.", allowed=PEM, env=CLIENT_KEY["metrics"])
    logs_client_key: OWN | None = option(None, "For logs alone.", allowed=PEM, env=CLIENT_KEY["logs"])
    client_certificate: OWN | None = option(
        None,
        "Certificate that receivers are shown who want to know who sends.",
        allowed=PEM,
        env=("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",),
    )
    traces_client_certificate: OWN | None = option(
        None, "For traces alone.", allowed=PEM, env=CLIENT_CERTIFICATE["traces"]
    )
    metrics_client_certificate: OWN | None = option(
        None, "For metrics alone.", allowed=PEM, env=CLIENT_CERTIFICATE["metrics"]
    )
    logs_client_certificate: OWN | None = option(None, "For logs alone.", allowed=PEM, env=CLIENT_CERTIFICATE["logs"])
