"""Any service that takes JSON, signed as Standard Webhooks says (standardwebhooks.com) when there is a secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, StringConstraints
from pydantic.dataclasses import dataclass

from otel_trading.alerts.channels.base import CONFIG, Channel, Secret, Url
from otel_trading.alerts.channels.errors import Receipt
from otel_trading.alerts.channels.posting import encoded, post, refused
from otel_trading.alerts.pace import Rate
from otel_trading.alerts.rendering import plain

if TYPE_CHECKING:
    from otel_trading.alerts.model import AlertPayload
    from otel_trading.alerts.rendering import Rendered

_PREFIX = "whsec_"


def _usable(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        token = name.replace("-", "").replace("_", "")
        if not (token.isascii() and token.isalnum() and value.isprintable() and value.isascii()):
            raise ValueError("have to be names of headers with printable values")
    return headers


HeaderTable = Annotated[dict[str, Annotated[str, StringConstraints(strip_whitespace=True)]], AfterValidator(_usable)]


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Webhook(Channel):
    """Sends alerts as JSON.

    Args:
        url: where to.
        method: how.
        headers: further headers, such as ``Authorization``.
        secret: what the body is signed with: a text, or ``whsec_`` and base64.

    """

    kind: ClassVar[str] = "webhook"
    keyed: ClassVar[bool] = True
    folds: ClassVar[bool] = False
    rate: ClassVar[Rate] = Rate(burst=50, per_minute=300)
    hidden: ClassVar[tuple[str, ...]] = ("url", "headers", "secret")

    url: Url = field(repr=False)
    method: Literal["POST", "PUT"] = "POST"
    headers: HeaderTable = field(default_factory=dict, repr=False)
    secret: Secret | None = field(default=None, repr=False)

    async def deliver(self, message: Rendered, thread: str | None = None) -> Receipt:
        """Send an alert; the header ``webhook-id`` is the same in every attempt."""
        body = encoded(payload(message))
        signed = signature(message.id, int(time.time()), body, self.secret)
        headers = {**self.headers, "Idempotency-Key": message.id, **signed}
        answer = await post(self.url, body, within=self.timeout, headers=headers, method=self.method)
        if not answer.good:
            raise refused(answer)
        return Receipt()


def payload(message: Rendered) -> dict[str, Any]:
    """The alert as it is, with what is told along with it."""
    return {
        "id": message.id,
        "kind": message.kind,
        "service": message.service,
        **_alert(message.alert),
        "others": [_alert(other) for other in message.grouped],
    }


def signature(id: str, seconds: int, body: bytes, secret: str | None) -> dict[str, str]:  # noqa: A002 - the specification's name
    """The headers that say who sent a body, and when.

    >>> secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    >>> body = b'{"test": 2432232314}'
    >>> signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, secret)["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    headers = {"webhook-id": id, "webhook-timestamp": str(seconds)}
    if secret is not None:
        signed = hmac.new(_key(secret), f"{id}.{seconds}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-signature"] = f"v1,{base64.b64encode(signed).decode()}"
    return headers


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def _alert(alert: AlertPayload) -> dict[str, Any]:
    return {**plain(alert), "key": alert.key}
