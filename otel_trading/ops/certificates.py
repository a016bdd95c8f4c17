"""The certificate that the ops server shows, read anew when its files change."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.settings import report

if TYPE_CHECKING:
    from otel_trading.ops.terms import Terms

    State = tuple[tuple[int, int, int] | None, ...]


class UnusableCertificateError(Exception):
    """Nobody can be served with these files; the message names the option, the file and why."""


class Certificates:
    """Contexts for TLS from version 1.2 on; raises ``UnusableCertificateError``."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._state = self._look()
        self.context = self._load()
        """The one for the next connection."""

    def refresh(self) -> None:
        """Use what the files hold now; as long as that is of no use the last of use stays."""
        state = self._look()
        if state == self._state:
            return
        self._state = state
        try:
            self.context = self._load()
        except UnusableCertificateError as error:
            report(f"{error}; the ops server goes on with what it read before")

    def _look(self) -> State:
        return tuple(_state_of(name) for name in (self._terms.certificate, self._terms.key, self._terms.client_ca))

    def _load(self) -> ssl.SSLContext:
        terms = self._terms
        if terms.certificate is None:
            option = "ops_key" if terms.key is not None else "ops_client_ca"
            raise UnusableCertificateError(f"{option} is set and ops_certificate is not")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        named = f"ops_certificate={terms.certificate}" + (f", ops_key={terms.key}" if terms.key else "")
        try:
            context.load_cert_chain(terms.certificate, terms.key, password=_no_password)
            if terms.client_ca is not None:
                named = f"ops_client_ca={terms.client_ca}"
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(terms.client_ca)
        except (OSError, ValueError) as error:
            raise UnusableCertificateError(f"{named} cannot be used ({_reason(error)})") from error
        return context


def _state_of(name: str | None) -> tuple[int, int, int] | None:
    try:
        found = None if name is None else Path(name).stat()
    except OSError:
        return None
    return None if found is None else (found.st_mtime_ns, found.st_ino, found.st_size)


def _no_password() -> str:
    """A key that is encrypted would ask at the terminal."""
    raise ValueError("the key needs a password")


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no certificate or key in PEM").lower().replace("_", " ")
    return (getattr(error, "strerror", None) or str(error)).lower()
