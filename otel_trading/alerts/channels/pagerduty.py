"""PagerDuty, by the Events API v2: an alert is one incident, however often it is told.

Formats and limits: developer.pagerduty.com, "Send an Alert Event", "Events API v2 Overview".
"""

from __future__ import annotations

import hashlib
from dataclasses import field
from typing import Annotated, Any, ClassVar

from pydantic import StringConstraints
from pydantic.dataclasses import dataclass

from otel_trading.alerts.channels.base import CONFIG, Channel, Text, Url
from otel_trading.alerts.channels.errors import Receipt, UnansweredError
from otel_trading.alerts.channels.posting import Answer, post, refused
from otel_trading.alerts.pace import Rate
from otel_trading.alerts.rendering import Rendered, cut

_ACCEPTED, _KEY, _SUMMARY = 202, 255, 1_000

RoutingKey = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9]{32}$")]


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class PagerDuty(Channel):
    """Triggers, acknowledges and resolves incidents.

    Args:
        routing_key: the integration key of a service's Events API v2, 32 characters.
        source: what incidents are said to come from; the bot's name when not given.
        api_url: where events go, ``https://events.eu.pagerduty.com/v2/enqueue`` in Europe.

    """

    kind: ClassVar[str] = "pagerduty"
    keyed: ClassVar[bool] = True
    acknowledges: ClassVar[bool] = True
    folds: ClassVar[bool] = False
    rate: ClassVar[Rate] = Rate(burst=20, per_minute=120)
    hidden: ClassVar[tuple[str, ...]] = ("routing_key",)

    routing_key: RoutingKey = field(repr=False)
    source: Text | None = None
    api_url: Url = "https://events.pagerduty.com/v2/enqueue"

    async def deliver(self, message: Rendered, thread: str | None = None) -> Receipt:
        """Trigger the alert's incident, or resolve it."""
        return await self._enqueue(payload(message, self.source or message.service or "otel-trading"))

    async def acknowledge(self, message: Rendered) -> Receipt:
        """Acknowledge the alert's incident: somebody looks after it."""
        return await self._enqueue({"event_action": "acknowledge", "dedup_key": dedup_key(message)})

    async def _enqueue(self, event: dict[str, Any]) -> Receipt:
        answer = await post(self.api_url, {"routing_key": self.routing_key, **event}, within=self.timeout)
        if answer.status != _ACCEPTED:
            raise _error(answer)
        if answer.json().get("status") != "success":
            raise UnansweredError("the answer is not PagerDuty's")
        return Receipt()


def payload(message: Rendered, source: str) -> dict[str, Any]:
    """The event without its routing key."""
    if message.over:
        return {"event_action": "resolve", "dedup_key": dedup_key(message)}
    details: dict[str, Any] = dict(message.rows)
    if message.text:
        details["message"] = message.text
    if message.others:
        details["also"] = list(message.others)
    inner = {
        "summary": cut(message.title if message.kind != "test" else message.headline, _SUMMARY),
        "source": source,
        "severity": "info" if message.kind == "test" else message.level.lower(),
        "timestamp": message.time.isoformat(),
        "component": message.alert.subject,
        "group": message.service,
        "class": message.rule,
        "custom_details": details,
    }
    return {
        "event_action": "trigger",
        "dedup_key": dedup_key(message),
        "client": "otel-trading",
        "links": [{"href": link, "text": name} for name, link in message.links],
        "payload": {name: value for name, value in inner.items() if value},
    }


def dedup_key(message: Rendered) -> str:
    """The incident's key: the same one as long as the same bot tells of the same problem."""
    key = f"{message.service}/{message.key}"
    if message.kind == "test":
        key = f"{message.service}/test/{message.id}"
    return key if len(key) <= _KEY else hashlib.sha256(key.encode()).hexdigest()


def _error(answer: Answer) -> Exception:
    if answer.good:
        return UnansweredError("the answer is not PagerDuty's")
    said = answer.json()
    reasons = said.get("errors")
    return refused(answer, "; ".join(map(str, reasons)) if isinstance(reasons, list) else str(said.get("message", "")))
