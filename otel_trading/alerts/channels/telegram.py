"""Telegram, as a bot (``sendMessage``); messages about one alert answer the first one.

Formats and limits: core.telegram.org/bots/api, "sendMessage", "Formatting options", "ResponseParameters"; and
core.telegram.org/bots/faq, "My bot is hitting limits".
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, StringConstraints
from pydantic.dataclasses import dataclass

from otel_trading.alerts.channels.base import CONFIG, Channel, Text, Url
from otel_trading.alerts.channels.errors import ChannelError, LaterError, Receipt, RefusedError, UnansweredError
from otel_trading.alerts.channels.markup import Markup
from otel_trading.alerts.channels.posting import post, refused, seconds
from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.pace import Rate

if TYPE_CHECKING:
    from otel_trading.alerts.rendering import Rendered

_LIMIT = 4_000
"""Of the 4096 that Telegram takes."""
_REMEMBERED = 256


def _chats(value: object) -> object:
    """One chat or several, as numbers or texts, in a list or with commas between them."""
    given = value if isinstance(value, (list, tuple)) else str(value).split(",")
    return tuple(str(chat).strip() for chat in given if str(chat).strip())


Token = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[A-Za-z0-9:_-]+$")]


class _Progress:
    """How far a message got that goes to several chats."""

    def __init__(self) -> None:
        self.sent: dict[str, int] = {}
        self.errors: dict[str, ChannelError] = {}


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Telegram(Channel):
    """Writes to chats of Telegram.

    Args:
        bot_token: what @BotFather gave.
        chat_id: the chat, or several: numbers, or ``@name`` of a public one.
        message_thread_id: the topic, in a group that has some.
        parse_mode: the form of the text.
        quiet: whether what is only informative makes no sound.
        api_url: where the Bot API is; a server of one's own is possible.

    """

    kind: ClassVar[str] = "telegram"
    rate: ClassVar[Rate] = Rate(burst=20, per_minute=20)
    hidden: ClassVar[tuple[str, ...]] = ("bot_token",)

    bot_token: Token = field(repr=False)
    chat_id: Annotated[tuple[Text, ...], BeforeValidator(_chats), Field(min_length=1)]
    message_thread_id: int | None = None
    parse_mode: Literal["HTML", "MarkdownV2"] = "HTML"
    quiet: bool = True
    api_url: Url = "https://api.telegram.org"
    _under_way: OrderedDict[str, _Progress] = field(default_factory=OrderedDict, init=False, repr=False, compare=False)
    _moved: dict[str, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def patience(self) -> float:
        """As much for each chat."""
        return (1.5 * self.timeout + 1.0) * len(self.chat_id)

    async def deliver(self, message: Rendered, thread: str | None = None) -> Receipt:
        """Write to each chat that does not have the message yet."""
        earlier: dict[str, int] = json.loads(thread) if thread else {}
        progress = self._under_way.setdefault(message.id, _Progress())
        while len(self._under_way) > _REMEMBERED:
            self._under_way.popitem(last=False)
        later: LaterError | None = None
        for chat in self.chat_id:
            if chat in progress.sent or chat in progress.errors:
                continue
            try:
                progress.sent[chat] = await self._write(chat, message, earlier.get(chat))
            except LaterError as error:
                later = error
            except UnansweredError as error:
                if self.repeats:
                    later = LaterError(str(error))
                else:
                    progress.errors[chat] = error
            except RefusedError as error:
                progress.errors[chat] = error
        if later is not None:
            raise later
        self._under_way.pop(message.id, None)
        for chat_error in progress.errors.values():
            raise chat_error
        return Receipt(thread or json.dumps(progress.sent))

    async def _write(self, chat: str, message: Rendered, answers: int | None) -> int:
        body = payload(message, self.parse_mode) | {"chat_id": self._moved.get(chat, chat)}
        if self.message_thread_id is not None:
            body["message_thread_id"] = self.message_thread_id
        if self.quiet and message.level is AlertLevel.INFO:
            body["disable_notification"] = True
        if answers is not None:
            body["reply_parameters"] = {"message_id": answers, "allow_sending_without_reply": True}
        url = f"{self.api_url.rstrip('/')}/bot{self.bot_token}/sendMessage"
        answer = await post(url, body, within=self.timeout)
        said = answer.json()
        result, parameters = said.get("result"), said.get("parameters")
        if answer.good:
            if said.get("ok") is True and isinstance(result, dict) and isinstance(result.get("message_id"), int):
                return int(result["message_id"])
            raise UnansweredError("the answer is not Telegram's")
        hints = parameters if isinstance(parameters, dict) else {}
        if "migrate_to_chat_id" in hints and chat not in self._moved:
            self._moved[chat] = str(hints["migrate_to_chat_id"])
            return await self._write(chat, message, None)
        raise refused(answer, str(said.get("description", "")), seconds(hints.get("retry_after")))


def payload(message: Rendered, form: Literal["HTML", "MarkdownV2"] = "HTML") -> dict[str, Any]:
    """The body of a message without its chat."""
    markup = Markup(form, _LIMIT)
    markup.line(f"{message.emoji} ", bold=message.headline)
    if message.text:
        markup.paragraph(message.text)
    if message.rows or message.others:
        markup.line()
    for name, value in message.rows:
        markup.line(bold=name, plain=f": {value}")
    for other in message.others:
        markup.line(plain=other)
    for name, link in message.links:
        markup.line(link=(name, link))
    markup.line()
    markup.line(plain=message.foot)
    return {"text": markup.text, "parse_mode": form, "link_preview_options": {"is_disabled": True}}
