"""Opening the ops server, or saying in one sentence why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_trading.ops.server import OpsServer, reason_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_trading.ops.pages import Provider
    from otel_trading.ops.source import Source
    from otel_trading.ops.terms import Terms
    from otel_trading.settings import Problem


def opened(
    source: Source, terms: Terms, before: OpsServer | None, providers: Sequence[Provider]
) -> tuple[OpsServer | None, list[Problem | str]]:
    """A server on these terms that takes over the ports of the one before, and what was wrong."""
    if not terms.loopback and terms.token is None:
        return None, [
            f"ops_host={terms.host} is not loopback and ops_token is not set: the ops server is off, and with it "
            "/metrics; set OTEL_TRADING_OPS_TOKEN"
        ]
    certificates = None
    if terms.secure:
        from otel_trading.ops.certificates import Certificates, UnusableCertificateError

        try:
            certificates = Certificates(terms)
        except UnusableCertificateError as error:
            return None, [f"{error}: the ops server is off, and with it /metrics; it does not go on without TLS"]
    try:
        return OpsServer(source, terms, before=before, providers=providers, certificates=certificates), []
    except OSError as error:
        return None, [
            f"ops_port={terms.port} on {terms.host} cannot be used ({reason_of(error)}): the ops server is off, and "
            "with it /metrics; set OTEL_TRADING_OPS_PORT to a free port, or to 0 for any"
        ]
