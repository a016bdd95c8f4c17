"""Discord, by a webhook.

Formats and limits: docs.discord.com/developers, "Execute Webhook", "Embed Limits", "Allowed Mentions", "Rate Limits".
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Annotated, Any, ClassVar
from urllib.parse import urlencode

from pydantic import BeforeValidator, StringConstraints
from pydantic.dataclasses import dataclass

from otel_trading.alerts.channels.base import CONFIG, Channel, Url
from otel_trading.alerts.channels.errors import Receipt, UnansweredError
from otel_trading.alerts.channels.posting import post, refused, seconds
from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.pace import Rate
from otel_trading.alerts.rendering import Rendered, cut, units

_TITLE, _DESCRIPTION, _NAME, _VALUE, _FOOT, _FIELDS, _TOTAL = 256, 2_500, 256, 500, 500, 24, 5_800
_MARKDOWN = re.compile(r"([\\*_~`|>#\[\]()<:@-])")

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Thread = Annotated[str, BeforeValidator(str), StringConstraints(pattern=r"^[0-9]{1,20}$")]


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Discord(Channel):
    """Posts to a channel of Discord.

    Args:
        webhook_url: a webhook of the channel.
        thread_id: the thread in it.
        username: the name that the messages bear, if it is not to be the webhook's.
        mention: who is called at what is critical, such as ``@everyone`` or ``<@&165511591545143296>``.

    """

    kind: ClassVar[str] = "discord"
    rate: ClassVar[Rate] = Rate(burst=5, per_minute=30)
    hidden: ClassVar[tuple[str, ...]] = ("webhook_url",)

    webhook_url: Url = field(repr=False)
    thread_id: Thread | None = None
    username: Name | None = None
    mention: str = ""

    async def deliver(self, message: Rendered, thread: str | None = None) -> Receipt:
        """Post a message, and wait until it is there."""
        body = payload(message, self.mention)
        if self.username is not None:
            body["username"] = self.username
        asked = {"wait": "true"} | ({"thread_id": self.thread_id} if self.thread_id else {})
        url = f"{self.webhook_url}{'&' if '?' in self.webhook_url else '?'}{urlencode(asked)}"
        answer = await post(url, body, within=self.timeout)
        if not answer.good:
            said = answer.json()
            raise refused(answer, str(said.get("message", "")), seconds(said.get("retry_after")))
        if not answer.json().get("id"):
            raise UnansweredError("the answer is not Discord's")
        spent = answer.headers.get("x-ratelimit-remaining") == "0"
        return Receipt(pause=(answer.seconds("X-RateLimit-Reset-After") or 0.0) if spent else 0.0)


def payload(message: Rendered, mention: str = "") -> dict[str, Any]:
    """The body of a message: one embed, whose texts together stay below the limit."""
    called = mention if mention and message.level is AlertLevel.CRITICAL and message.kind == "first" else ""
    lines = [part for part in (message.text, "\n".join(message.others)) if part]
    embed: dict[str, Any] = {
        "title": f"{message.emoji} {cut(message.headline, _TITLE - 4, escaped)}",
        "color": message.colour,
        "timestamp": message.time.isoformat(),
        "footer": {"text": cut(message.foot, _FOOT)},
    }
    if lines:
        embed["description"] = cut("\n\n".join(lines), _DESCRIPTION, escaped)
    left = _TOTAL - units(embed["title"]) - units(embed["footer"]["text"]) - units(embed.get("description", ""))
    fields = []
    shown = [(cut(name, _NAME, escaped), cut(value, _VALUE, escaped)) for name, value in message.rows]
    shown += [(name, link) for name, link in message.links]
    for name, value in shown[:_FIELDS]:
        left -= units(name) + units(value)
        if left < 0:
            break
        fields.append({"name": name, "value": value, "inline": len(value) <= 40})  # noqa: PLR2004 - what fits in a column
    if fields:
        embed["fields"] = fields
    return ({"content": called} if called else {}) | {
        "embeds": [embed],
        "allowed_mentions": {"parse": ["everyone", "roles", "users"] if called else []},
    }


def escaped(text: str) -> str:
    r"""A text in which nothing is markup of Discord's.

    >>> print(escaped("**up** <@1> #x"))
    \*\*up\*\* \<\@1\> \#x
    """
    return _MARKDOWN.sub(r"\\\1", text)
