"""Whom a receiver's certificate is checked against, and who we are to it."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass


class CertificateError(Exception):
    """A certificate or key cannot be used; the message names the option, the file and why."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Files in PEM: ``certificate`` holds the authorities to trust, the system's when it is ``None``.

    ``client_certificate`` and ``client_key`` are for receivers that want to know who sends.
    """

    certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    def context(self) -> ssl.SSLContext:
        """For connections; raises ``CertificateError``."""
        with _said("certificate", self.certificate):
            context = ssl.create_default_context(cafile=self.certificate)
        if self.client_certificate is not None:
            with _said("client_certificate", self.client_certificate, "client_key", self.client_key):
                context.load_cert_chain(self.client_certificate, self.client_key, password=_no_password)
        return context


def _no_password() -> str:
    """A key that is encrypted would ask at the terminal."""
    raise ssl.SSLError("the key needs a password")


@contextlib.contextmanager
def _said(*settings: str | None):  # type: ignore[no-untyped-def]  # noqa: ANN202
    try:
        yield
    except (OSError, ValueError) as error:
        named = ", ".join(f"{name}={value}" for name, value in zip(settings[::2], settings[1::2], strict=True) if value)
        raise CertificateError(f"{named or 'the certificates'} cannot be used: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """What OpenSSL or the system says, without codes and line numbers.

    >>> reason(FileNotFoundError(2, "No such file or directory"))
    'no such file or directory'
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError):
        return "the other side ended the connection; it may want a client certificate"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    if isinstance(error, OSError) and error.strerror and not isinstance(error, ssl.SSLError):
        return error.strerror[:1].lower() + error.strerror[1:]
    return str(error) or type(error).__name__
