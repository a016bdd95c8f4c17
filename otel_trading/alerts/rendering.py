"""What a notification says, before a channel puts it into the form of its service."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from otel_trading import redaction
from otel_trading.alerts.model import AlertLevel

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from otel_trading.alerts.model import AlertPayload, Notification

EMOJI = {AlertLevel.INFO: "ℹ️", AlertLevel.WARNING: "⚠️", AlertLevel.ERROR: "🔴", AlertLevel.CRITICAL: "🚨"}  # noqa: RUF001 - it is the sign
COLOURS = {
    AlertLevel.INFO: 0x2F81F7,
    AlertLevel.WARNING: 0xF2C744,
    AlertLevel.ERROR: 0xE5534B,
    AlertLevel.CRITICAL: 0xB60205,
}
_OVER = 0x2DA44E
_KINDS = {"escalation": "escalated", "reminder": "still firing", "test": "test"}

_TITLE, _TEXT, _NAME, _VALUE, _ROWS, _OTHERS, _LINKS, _URL = 200, 1_500, 60, 300, 20, 20, 5, 400
_LONGEST, _GROUPED = 8_000, 50
"""Characters of a text, and alerts or fields, that leave as they are."""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_BLANK = re.compile(r"[\s\u200b-\u200f\u2060-\u206f\u3164\ufe00-\ufe0f]*")


@dataclass(frozen=True, slots=True)
class Rendered:
    """A notification as texts that are clean, not empty, and of bounded length.

    Args:
        id: the notification's id.
        key: the alert's key.
        rule: the rule it comes from.
        kind: why it is told.
        level: how serious it is.
        over: whether it says that the alert is over.
        label: ``CRITICAL``, ``WARNING, still firing``, ``RESOLVED`` and the like.
        emoji: a sign for it.
        colour: a colour for it, as ``0xRRGGBB``.
        title: what happened, one line.
        text: what is known of it; may be empty.
        rows: what belongs to it, by name.
        links: where to look, by name.
        others: what is told along with it, a line each.
        service: the bot.
        time: when it began, UTC.
        alert: the alert itself, without secrets.
        grouped: the alerts that are told along with it, without secrets.

    """

    id: str
    key: str
    rule: str
    kind: str
    level: AlertLevel
    over: bool
    label: str
    emoji: str
    colour: int
    title: str
    text: str
    rows: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    others: tuple[str, ...]
    service: str
    time: datetime
    alert: AlertPayload
    grouped: tuple[AlertPayload, ...]

    @property
    def headline(self) -> str:
        """One line that says it all.

        >>> from otel_trading.alerts.model import AlertPayload, Notification
        >>> alert = AlertPayload(AlertLevel.ERROR, "venue is gone", "no frame for 30 s", rule="venue", subject="kraken")
        >>> render(Notification(alert, ("desk",), "first"), "basis-bot").headline
        'ERROR: venue is gone'
        """
        return f"{self.label}: {self.title}"

    @property
    def foot(self) -> str:
        """Who says it, about what, and when it began."""
        return " · ".join(part for part in (self.service, self.key, f"{self.time:%Y-%m-%d %H:%M:%S} UTC") if part)


def render(notification: Notification, service: str) -> Rendered:
    """The notification of a bot as texts, without secrets."""
    alert, kind = without_secrets(notification.alert), notification.kind
    grouped = tuple(map(without_secrets, notification.others))
    over = kind == "resolved" or alert.state == "resolved"
    links: list[tuple[str, str]] = []
    rows: list[tuple[str, str]] = []
    for name, value in alert.fields.items():
        entry = (_name(name), value.strip())
        (links if _is_link(entry[1]) and len(links) < _LINKS else rows).append(entry)
    others = [_line(each) for each in grouped]
    if len(others) > _OTHERS:
        others = [*others[: _OTHERS - 1], f"and {len(others) - _OTHERS + 1} more"]
    extra = f", {_KINDS[kind]}" if kind in _KINDS and not over else ""
    return Rendered(
        id=notification.id,
        key=cut(one_line(alert.key), _TITLE),
        rule=cut(one_line(alert.rule), _TITLE),
        kind=kind,
        level=alert.level,
        over=over,
        label="RESOLVED" if over else f"{alert.level}{extra}",
        emoji="✅" if over else "🧪" if kind == "test" else EMOJI[alert.level],
        colour=_OVER if over else COLOURS[alert.level],
        title=cut(one_line(alert.title), _TITLE) or "alert",
        text=cut(clean(alert.message).strip(), _TEXT),
        rows=_rows(rows),
        links=tuple((name.capitalize(), link) for name, link in links),
        others=tuple(others),
        service=cut(one_line(service), _NAME),
        time=alert.timestamp,
        alert=alert,
        grouped=grouped[:_GROUPED],
    )


def plain(alert: AlertPayload) -> dict[str, Any]:
    """An alert as JSON has it."""
    return {
        "level": str(alert.level),
        "title": alert.title,
        "message": alert.message,
        "timestamp": alert.timestamp.isoformat(),
        "fields": dict(alert.fields),
        "rule": alert.rule,
        "subject": alert.subject,
        "state": alert.state,
    }


def without_secrets(alert: AlertPayload) -> AlertPayload:
    """An alert whose texts are clean and of bounded length."""
    fields = redaction.attributes({str(name): str(value) for name, value in alert.fields.items()})
    return replace(
        alert,
        title=clean(str(alert.title))[:_LONGEST],
        message=clean(str(alert.message))[:_LONGEST],
        fields={clean(name)[:_LONGEST]: clean(value)[:_LONGEST] for name, value in list(fields.items())[:_GROUPED]},
        rule=clean(str(alert.rule))[:_LONGEST],
        subject=clean(str(alert.subject))[:_LONGEST],
    )


def clean(text: str) -> str:
    r"""A text without secrets, control characters and halves of characters.

    >>> clean("price\x00 gone\ud800, password=hunter2")
    'price gone?, password=[redacted:password]'
    """
    printable = _UNPRINTABLE.sub("", text.encode("utf-8", "replace").decode("utf-8"))
    return "" if _BLANK.fullmatch(printable) else redaction.redact(printable)


def one_line(text: str) -> str:
    """A clean text without breaks."""
    return " ".join(clean(text).split())


def cut(text: str, limit: int, escape: Callable[[str], str] = str) -> str:
    """As much of a text as has at most ``limit`` UTF-16 units when it is escaped; that is how the services count.

    >>> cut("a & b & c", 9), cut("a & b & c", 9, lambda text: text.replace("&", "&amp;"))
    ('a & b & c', 'a &amp;…')
    """
    escaped = escape(text)
    if units(escaped) <= limit:
        return escaped
    low, high = 0, min(len(text), limit)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if units(escape(text[:middle].rstrip()) + "…") <= limit else (low, middle - 1)
    return escape(text[:low].rstrip()) + "…" if limit > 0 else ""


def units(text: str) -> int:
    """How long a text is in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def _name(name: str) -> str:
    return cut(one_line(name), _NAME) or "–"  # noqa: RUF001 - nothing is not allowed


def _rows(rows: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    shown = [(name, cut(one_line(value), _VALUE) or "–") for name, value in rows[:_ROWS]]  # noqa: RUF001 - as above
    if len(rows) > _ROWS:
        shown[-1] = ("…", f"{len(rows) - _ROWS + 1} more in the log")
    return tuple(shown)


def _line(alert: AlertPayload) -> str:
    sign = "✅" if alert.state == "resolved" else EMOJI[alert.level]
    subject = f" ({one_line(alert.subject)})" if alert.subject else ""
    return cut(f"{sign} {one_line(alert.title)}{subject}", _TITLE)


def _is_link(value: str) -> bool:
    if len(value) > _URL or not value.isascii() or any(sign in value for sign in " \t\r\n\"'<>|\\^`{}()[]"):
        return False
    if not value.isprintable() or redaction.redact(value) != value:
        return False
    try:
        parts = urlsplit(value)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False
