"""E-mail, by the standard library's SMTP client in a thread; an alert's messages are one conversation.

Formats: RFC 5321 (SMTP), 3207 (STARTTLS), 8314 (TLS from the beginning), 5322 (messages, ``References``), 3834
(``Auto-Submitted``). A message keeps its ``Message-ID`` in all attempts, by which mailboxes know it again.
"""

from __future__ import annotations

import hashlib
import html
import smtplib
import ssl
from dataclasses import field
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, parseaddr
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints
from pydantic.dataclasses import dataclass

from otel_trading.alerts.channels.base import CONFIG, Channel, Secret, Text, is_this_host
from otel_trading.alerts.channels.errors import LaterError, Receipt, RefusedError, UnansweredError
from otel_trading.alerts.channels.threads import BusyError, in_thread
from otel_trading.alerts.model import AlertLevel
from otel_trading.alerts.pace import Rate

if TYPE_CHECKING:
    from otel_trading.alerts.rendering import Rendered

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_PERMANENT = 500


def _address(value: str) -> str:
    name, address = parseaddr(value)
    local, at, domain = address.rpartition("@")
    if not (at and local and domain and address.isascii() and address.isprintable()) or any(c in name for c in "\r\n"):
        raise ValueError("has to be an address such as desk@example.com")
    return formataddr((name, address)) if name else address


Address = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_address)]


def _addresses(value: object) -> object:
    return tuple(value) if isinstance(value, (list, tuple)) else tuple(p for p in str(value).split(",") if p.strip())


@dataclass(frozen=True, kw_only=True, config=CONFIG)
class Email(Channel):
    """Sends mails.

    Args:
        host: the mail server.
        sender: who the mails are from.
        to: who gets them.
        port: the server's port; 587, 465 or 25 when not given.
        security: ``starttls``, ``tls`` from the beginning, or ``none``.
        username: who logs in.
        password: with what.

    """

    kind: ClassVar[str] = "email"
    keyed: ClassVar[bool] = True
    rate: ClassVar[Rate] = Rate(burst=20, per_minute=20)
    hidden: ClassVar[tuple[str, ...]] = ("password",)

    host: Text
    sender: Address
    to: Annotated[tuple[Address, ...], BeforeValidator(_addresses), Field(min_length=1)]
    port: Annotated[int, Field(gt=0, le=65_535)] | None = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Text | None = None
    password: Secret | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.username is None) != (self.password is None):
            raise ValueError("needs both username and password, or none of them")
        if self.password is not None and self.security == "none" and not is_this_host(self.host):
            raise ValueError("a password is sent only with security starttls or tls")

    async def deliver(self, message: Rendered, thread: str | None = None) -> Receipt:
        """Hand a mail over to the server."""
        mail = letter(message, self.sender, self.to, thread)
        attempt = _Attempt(self)
        try:
            await in_thread(attempt.run, mail, name="mail")
        except BusyError as error:
            raise LaterError(str(error)) from None
        finally:
            attempt.cancel()
        return Receipt(thread or str(mail["Message-ID"]))


class _Attempt:
    """One connection to the server, which whoever no longer waits for it can break."""

    def __init__(self, to: Email) -> None:
        self._to = to
        self._client: smtplib.SMTP | None = None
        self._handed_over = False

    def run(self, mail: EmailMessage) -> None:
        try:
            self._send(mail)
        except smtplib.SMTPRecipientsRefused as error:
            raise _answered(*next(iter(error.recipients.values()))) from None
        except smtplib.SMTPResponseException as error:
            raise _answered(error.smtp_code, error.smtp_error) from None
        except smtplib.SMTPNotSupportedError as error:
            raise RefusedError(str(error)) from None
        except (OSError, smtplib.SMTPException, ValueError) as error:
            reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
            if self._handed_over:
                raise UnansweredError(f"no answer: {reason}") from None
            raise LaterError(f"not reached: {reason}") from None

    def cancel(self) -> None:
        """Break the connection if there is one."""
        if self._client is not None:
            self._client.close()

    def _send(self, mail: EmailMessage) -> None:
        to = self._to
        port = to.port or _PORTS[to.security]
        context = None if to.security == "none" else ssl.create_default_context()
        if to.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(to.host, port, timeout=to.timeout / 2, context=context)
        else:
            client = smtplib.SMTP(to.host, port, timeout=to.timeout / 2)
        self._client = client
        try:
            client.ehlo()
            if to.security == "starttls":
                client.starttls(context=context)
                client.ehlo()
            if to.username is not None and to.password is not None:
                client.login(to.username, to.password)
            self._hand_over(client, mail)
        finally:
            client.close()

    def _hand_over(self, client: smtplib.SMTP, mail: EmailMessage) -> None:
        """One mail to all; those that the server refuses do not keep it from the others."""
        self._expect(client.mail(parseaddr(self._to.sender)[1]), 250)
        answers = [client.rcpt(parseaddr(address)[1]) for address in self._to.to]
        if not any(code in {250, 251} for code, _ in answers):
            raise smtplib.SMTPRecipientsRefused(dict(zip(self._to.to, answers, strict=True)))
        self._handed_over = True  # the last byte may arrive although its answer does not
        code, said = client.data(mail.as_bytes(policy=mail.policy.clone(linesep="\r\n")))
        self._expect((code, said), 250)
        try:
            client.quit()
        except (OSError, smtplib.SMTPException):
            return

    def _expect(self, answer: tuple[int, bytes], code: int) -> None:
        if answer[0] != code:
            raise smtplib.SMTPResponseException(*answer)


def letter(message: Rendered, sender: str, to: tuple[str, ...], thread: str | None) -> EmailMessage:
    """The mail, as text and as HTML."""
    mail = EmailMessage()
    mail["Subject"] = f"[{message.label}] {message.title}" + (f" ({message.service})" if message.service else "")
    mail["From"], mail["To"] = sender, ", ".join(to)
    mail["Date"] = format_datetime(message.time)
    mail["Message-ID"] = message_id(message, sender)
    if thread is not None:
        mail["In-Reply-To"] = mail["References"] = thread
    mail["Auto-Submitted"] = "auto-generated"
    if message.level is AlertLevel.CRITICAL and not message.over:
        mail["X-Priority"], mail["Importance"] = "1 (Highest)", "high"
    rows = [f"{name}: {value}" for name, value in (*message.rows, *message.links)]
    parts = [message.headline, message.text, "\n".join(rows), "\n".join(message.others), message.foot]
    mail.set_content("\n\n".join(part for part in parts if part), cte="quoted-printable")
    mail.add_alternative(_page(message), subtype="html", cte="quoted-printable")
    return mail


def message_id(message: Rendered, sender: str) -> str:
    """The same for the same notification, whoever sends it again."""
    unique = hashlib.sha256(f"{message.service}/{message.id}".encode()).hexdigest()[:32]
    return f"<{unique}@{parseaddr(sender)[1].rpartition('@')[2]}>"


def _page(message: Rendered) -> str:
    cell = '<td style="padding:2px 12px 2px 0;vertical-align:top">'
    rows = "".join(
        f"<tr>{cell}<b>{html.escape(name)}</b></td>{cell}{html.escape(value)}</td></tr>" for name, value in message.rows
    )
    links = " · ".join(f'<a href="{html.escape(link)}">{html.escape(name)}</a>' for name, link in message.links)
    parts = [
        f'<h3 style="margin:0 0 8px">{message.emoji} {html.escape(message.headline)}</h3>',
        f'<p style="white-space:pre-wrap;margin:0 0 8px">{html.escape(message.text)}</p>' if message.text else "",
        f'<table style="border-collapse:collapse">{rows}</table>' if rows else "",
        "".join(f"<div>{html.escape(other)}</div>" for other in message.others),
        f"<p>{links}</p>" if links else "",
        f'<p style="color:#6a737d;font-size:12px">{html.escape(message.foot)}</p>',
    ]
    bar = f"border-left:4px solid #{message.colour:06X};padding-left:12px;font-family:sans-serif"
    return f'<!DOCTYPE html><html><body><div style="{bar}">{"".join(parts)}</div></body></html>'


def _answered(code: int, said: Any) -> Exception:  # noqa: ANN401 - bytes, or a text where there was no connection
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    reason = f"{code} {text}"
    return RefusedError(reason) if code >= _PERMANENT else LaterError(reason)
