"""Slack, by an incoming webhook or as a bot (``chat.postMessage``), whose messages about one alert are one thread.

Formats and limits: docs.slack.dev, "Sending messages using incoming webhooks", "chat.postMessage", "Block Kit",
"Rate limits".
"""

from __future__ import annotations

from dataclasses import field
from typing import Any, ClassVar

from pydantic.dataclasses import dataclass

from otel_trading.alerts.channels.base import CONFIG, Channel, Secret, Text, Url
from otel_trading.alerts.channels.errors import LaterError, Receipt, RefusedError, UnansweredError
from otel_trading.alerts.channels.posting import Answer, post, refused
from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.pace import Rate
from otel_trading.alerts.rendering import Rendered, cut

_HEADLINE, _SECTION, _FIELD, _FIELDS, _CONTEXT = 300, 2_500, 400, 10, 500
_PERHAPS = frozenset({"internal_error", "fatal_error"})
"""Slack says of these that part of the work may be done."""
_LATER = frozenset({"ratelimited", "rate_limited", "service_unavailable", "request_timeout", "team_added_to_org"})
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Slack(Channel):
    """Posts to a channel of Slack.

    Args:
        webhook_url: an incoming webhook; its own channel gets the messages.
        bot_token: a bot's token with the scope ``chat:write``, instead of a webhook.
        channel: where a bot posts; older webhooks obey it too.
        mention: who is called at what is critical, such as ``<!channel>`` or ``<@U012AB3CD>``.
        api_url: where Slack's methods are.

    """

    kind: ClassVar[str] = "slack"
    rate: ClassVar[Rate] = Rate(burst=10, per_minute=60)
    hidden: ClassVar[tuple[str, ...]] = ("webhook_url", "bot_token")

    webhook_url: Url | None = field(default=None, repr=False)
    bot_token: Secret | None = field(default=None, repr=False)
    channel: Text | None = None
    mention: str = ""
    api_url: Url = "https://slack.com/api"

    def __post_init__(self) -> None:
        if (self.webhook_url is None) == (self.bot_token is None):
            raise ValueError("needs webhook_url, or bot_token and channel")
        if self.bot_token is not None and self.channel is None:
            raise ValueError("needs the channel that the bot posts to")

    async def deliver(self, message: Rendered, thread: str | None = None) -> Receipt:
        """Post a message, in the thread of the first one where that is known."""
        body = payload(message, self.mention)
        if self.channel is not None:
            body["channel"] = self.channel
        if self.webhook_url is not None:
            answer = await post(self.webhook_url, body, within=self.timeout)
            if not answer.good:
                raise refused(answer)
            if answer.text.strip() != "ok":
                raise UnansweredError("the answer is not Slack's")
            return Receipt()
        if thread is not None:
            body |= {"thread_ts": thread, "reply_broadcast": message.over or message.kind == "escalation"}
        headers = {"Authorization": f"Bearer {self.bot_token}"}
        url = f"{self.api_url.rstrip('/')}/chat.postMessage"
        stamp = _stamp(await post(url, body, within=self.timeout, headers=headers))
        return Receipt(thread or stamp)


def payload(message: Rendered, mention: str = "") -> dict[str, Any]:
    """The body of a message: a line that notifications show, and an attachment with a colour that holds the blocks."""
    called = f"{mention} " if mention and message.level is AlertLevel.CRITICAL and message.kind == "first" else ""
    blocks: list[dict[str, Any]] = []
    if message.text:
        blocks.append(_section(cut(message.text, _SECTION, escaped)))
    rows = message.rows
    blocks += [
        {"type": "section", "fields": [_field(*row) for row in rows[start : start + _FIELDS]]}
        for start in range(0, len(rows), _FIELDS)
    ]
    if message.others:
        blocks.append(_section(cut("\n".join(message.others), _SECTION, escaped)))
    if message.links:
        blocks.append(_section(" · ".join(f"<{escaped(link)}|{escaped(name)}>" for name, link in message.links)))
    blocks.append({"type": "context", "elements": [_text(cut(message.foot, _CONTEXT, escaped))]})
    headline = cut(message.headline, _HEADLINE, escaped)
    return {
        "text": f"{called}{message.emoji} *{headline}*",
        "attachments": [{"color": f"#{message.colour:06X}", "fallback": headline, "blocks": blocks}],
    }


def escaped(text: str) -> str:
    """A text in which nothing is markup of Slack's: no mention, no link, no entity.

    >>> escaped("a < b & <!channel>")
    'a &lt; b &amp; &lt;!channel&gt;'
    """
    return text.translate(_ESCAPES)


def _stamp(answer: Answer) -> str:
    said = answer.json()
    if answer.good and said.get("ok") is True:
        return str(said.get("ts", ""))
    error = str(said.get("error", ""))
    if error in _PERHAPS:
        raise UnansweredError(f"{answer.status} {error}")
    if answer.good and error in _LATER:
        raise LaterError(error, answer.seconds("Retry-After"))
    if answer.good and error:
        raise RefusedError(error)
    if answer.good:
        raise UnansweredError("the answer is not Slack's")
    raise refused(answer, error)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _text(text)}


def _field(name: str, value: str) -> dict[str, Any]:
    return _text(f"*{escaped(name)}*\n{cut(value, _FIELD, escaped)}")


def _text(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
