"""The options of the ops server."""

from __future__ import annotations

from pydantic_settings import BaseSettings

from otel_trading.settings.rows import A_LIMIT, ANY_TEXT, NAME, PORT, SWITCH, Exporters, FromZero, Port, option


class Serving(BaseSettings):
    """Where it is found, by whom, and how it is asked."""

    ops_enabled: bool = option(True, "The ops server (/health, /metrics, /status, ...) on or off.", allowed=SWITCH)
    ops_host: NAME = option("127.0.0.1", "Address of the ops server.", allowed="an address of this host")
    ops_port: Port = option(8080, "Port of the ops server.", allowed=PORT)
    metrics_port: Port | None = option(
        None, "A port of its own for /metrics, beside the one of the ops server.", allowed=PORT
    )
    ops_token: NAME | None = option(
        None,
        "Bearer token of the ops server; required off loopback; on loopback one is made for this user's commands.",
        allowed=ANY_TEXT,
        secret=True,
    )
    ops_open_probes: bool = option(
        False, "Whether /health and /ready need no token when the ops server is not on loopback.", allowed=SWITCH
    )
    ops_hosts: Exporters = option(
        (),
        "Names by which others ask an ops server on loopback, such as a reverse proxy's; who does needs the token.",
        allowed="a comma separated list of host names",
    )
    ops_certificate: NAME | None = option(
        None, "Certificate chain of the ops server, which then speaks HTTPS only.", allowed="a file in PEM"
    )
    ops_key: NAME | None = option(
        None, "Its private key, unless it is in the file of the certificate.", allowed="a file in PEM"
    )
    ops_client_ca: NAME | None = option(
        None, "Authorities of client certificates; nobody is let in without one then.", allowed="a file in PEM"
    )
    ops_rate_limit: FromZero = option(
        100.0, "Requests a second that the ops server takes from one address.", allowed=A_LIMIT
    )
