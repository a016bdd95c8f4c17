"""Who a request comes from: the venue's check of key, signature and time."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from otel_trading.demo.venue.orders import Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_WINDOW_MS = 5000
LONGEST_WINDOW_MS = 60000
_TOLERATED_AHEAD_MS = 1000


class Credentials:
    """The one API key a venue knows.

    Args:
        api_key: what ``X-MBX-APIKEY`` must hold.
        secret: the HMAC-SHA256 key of the signature.
        server_ms: the venue's clock.

    """

    def __init__(self, api_key: str, secret: str, server_ms: Callable[[], int]) -> None:
        self._api_key = api_key
        self._secret = secret.encode()
        self._server_ms = server_ms

    def check_key(self, api_key: str | None) -> None:
        """Refuse a key that is not ours.

        Raises:
            Reject: -2014 without a key, -2015 for a foreign one.

        """
        if not api_key:
            raise Reject(-2014, "API-key format invalid.", 401)
        if not hmac.compare_digest(api_key.encode(), self._api_key.encode()):
            raise Reject(-2015, "Invalid API-key, IP, or permissions for action.", 401)

    def check_signature(self, payload: str, signature: str | None, parameters: Mapping[str, str]) -> None:
        """Refuse a request whose signature or time is wrong.

        Args:
            payload: exactly what was signed.
            signature: the hexadecimal HMAC-SHA256 that came with it.
            parameters: the request's parameters, among them ``timestamp`` and perhaps ``recvWindow``.

        Raises:
            Reject: -1102 for a missing parameter, -1022 for the signature, -1021 for the time, -1131 for the window.

        """
        if not signature:
            raise Reject(-1102, "Mandatory parameter 'signature' was not sent, was empty/null, or malformed.")
        expected = hmac.new(self._secret, payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise Reject(-1022, "Signature for this request is not valid.")
        try:
            timestamp = int(parameters["timestamp"])
            window = int(parameters.get("recvWindow", DEFAULT_WINDOW_MS))
        except (KeyError, ValueError):
            raise Reject(-1102, "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed.") from None
        if window > LONGEST_WINDOW_MS:
            raise Reject(-1131, "recvWindow must be less than 60000.")
        now = self._server_ms()
        if timestamp > now + _TOLERATED_AHEAD_MS:
            raise Reject(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - timestamp > window:
            raise Reject(-1021, "Timestamp for this request is outside of the recvWindow.")


def split_signature(text: str) -> tuple[str, str | None]:
    """Take the ``signature`` parameter out of a query string or form body.

    >>> split_signature("a=1&timestamp=2&signature=ab")
    ('a=1&timestamp=2', 'ab')
    >>> split_signature("a=1")
    ('a=1', None)
    """
    parts = text.split("&")
    signature = next((part.removeprefix("signature=") for part in parts if part.startswith("signature=")), None)
    return "&".join(part for part in parts if not part.startswith("signature=")), signature
