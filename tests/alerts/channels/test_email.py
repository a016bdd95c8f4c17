"""E-mail, against aiosmtpd: STARTTLS, TLS, login, refusals, servers that hang."""

from __future__ import annotations

import asyncio
import email
import email.policy
import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult

from otel_trading.alerts.channels import Email, LaterError, RefusedError, UnansweredError
from tests.alerts.channels.conftest import Desk, alert, wait_until
from tests.alerts.channels.test_formats import FULL, rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiosmtpd.smtp import Envelope, Session

PASSWORD = "sEcReT-mail-password"


class Box:
    """What the server does with a mail."""

    def __init__(self) -> None:
        self.mails: list[Any] = []
        self.to: list[list[str]] = []
        self.answers: list[str] = []
        self.silent = 0
        self.unknown: set[str] = set()

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.unknown:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answers:
            return self.answers.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        self.mails.append(email.message_from_bytes(content, policy=email.policy.default))
        self.to.append(list(envelope.rcpt_tos))
        if self.silent:
            self.silent -= 1
            await asyncio.sleep(3)
        return "250 OK"


class Server(Controller):
    """Any free port: the controller asks whether the server is there at the one that it has."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        with socket.create_connection(("127.0.0.1", self.port), 10) as asking:
            if self.ssl_context is not None:
                anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
                anyone.wrap_socket(asking).close()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def contexts(authority: trustme.CA, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> ssl.SSLContext:
    """Have this machine trust a certificate of the server's."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return context


@pytest.fixture
def start() -> Iterator[Callable[..., tuple[Box, int]]]:
    running: list[Controller] = []

    def make(**options: Any) -> tuple[Box, int]:
        box = Box()
        controller = Server(box, hostname="127.0.0.1", port=0, **options)
        controller.start()
        running.append(controller)
        return box, controller.port

    yield make
    for each in running:
        each.stop()


def login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    right = data.password == PASSWORD.encode()
    return AuthResult(success=right, handled=right)


def to(port: int, **more: Any) -> Email:
    options: dict[str, Any] = {"security": "none", "sender": "Bot <bot@example.com>", "to": "a@example.com"} | more
    return Email(name="mail", host="127.0.0.1", port=port, **options)


async def test_mail_reads_well_and_is_a_conversation(start: Callable[..., tuple[Box, int]]) -> None:
    """Text and HTML say the same; later mails about an alert refer to the first one."""
    box, port = start()
    channel = to(port, to=["a@example.com", "Bea <b@example.com>"])
    first = await channel.deliver(rendered(FULL))
    await channel.deliver(rendered(FULL, "resolved"), first.thread)
    mail, later = box.mails
    assert mail["Subject"] == "[CRITICAL] feed <b>stale</b> & *silent* (basis-bot)"
    assert mail["To"] == "a@example.com, Bea <b@example.com>"
    assert box.to[0] == ["a@example.com", "b@example.com"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Priority"].startswith("1")
    assert later["References"] == later["In-Reply-To"] == mail["Message-ID"]
    assert later["Subject"].startswith("[RESOLVED] ")
    text = mail.get_body(("plain",)).get_content()
    assert "venue: binance\nage: 31.2 s" in text.replace("\r", "")
    page = mail.get_body(("html",)).get_content()
    assert "feed &lt;b&gt;stale&lt;/b&gt; &amp; *silent*" in page
    assert '<a href="https://runbooks.example.com/stale?a=1&amp;b=2">Runbook</a>' in page


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_login_over_tls(security: str, start: Callable[..., tuple[Box, int]], contexts: ssl.SSLContext) -> None:
    """Both ways to TLS, with a certificate that is checked; a wrong password is a refusal."""
    options = (
        {"tls_context": contexts, "require_starttls": True} if security == "starttls" else {"ssl_context": contexts}
    )
    box, port = start(**options, authenticator=login, auth_require_tls=security == "starttls")
    await to(port, security=security, username="bot", password=PASSWORD).deliver(rendered(FULL))
    assert len(box.mails) == 1
    with pytest.raises(RefusedError, match="535") as raised:
        await to(port, security=security, username="bot", password="wrong-sEcReT").deliver(rendered(FULL))
    assert "sEcReT" not in str(raised.value)


async def test_certificate_of_a_stranger_is_not_trusted(
    start: Callable[..., tuple[Box, int]], contexts: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """No login is sent to who cannot prove who he is."""
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.pem"))
    box, port = start(ssl_context=contexts)
    with pytest.raises(LaterError, match="not reached"):
        await to(port, security="tls", username="bot", password=PASSWORD).deliver(rendered(FULL))
    assert box.mails == []


async def test_answers_of_the_server_are_understood(start: Callable[..., tuple[Box, int]]) -> None:
    """4xx is later, 5xx is never; one unknown recipient does not keep it from the others."""
    box, port = start()
    box.answers = ["451 4.3.0 busy", "554 5.7.1 spam"]
    with pytest.raises(LaterError, match="451"):
        await to(port).deliver(rendered(FULL))
    with pytest.raises(RefusedError, match="554"):
        await to(port).deliver(rendered(FULL))
    box.unknown = {"gone@example.com"}
    await to(port, to="gone@example.com, a@example.com").deliver(rendered(FULL))
    assert box.to == [["a@example.com"]]
    with pytest.raises(RefusedError, match="550"):
        await to(port, to="gone@example.com").deliver(rendered(FULL))
    with pytest.raises(RefusedError, match="STARTTLS"):
        await to(port, security="starttls").deliver(rendered(FULL))


async def test_no_server_is_known_to_be_undelivered() -> None:
    """Nobody at the port, or somebody who says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(LaterError, match=r"not reached: .*timed out"):
            await to(port, timeout=0.6).deliver(rendered(FULL))
    with pytest.raises(LaterError, match="not reached"):
        await to(port).deliver(rendered(FULL))


def test_mail_that_nobody_acknowledged_is_sent_again_under_its_id(
    start: Callable[..., tuple[Box, int]], desk: Callable[..., Desk]
) -> None:
    """A mailbox that gets it twice knows it again by its Message-ID."""
    box, port = start()
    box.silent = 1
    opened = desk(to(port, timeout=1.0))
    opened.post(alert("hello", "ERROR"))
    wait_until(lambda: opened.outcomes("mail") == ["sent"])
    assert len({mail["Message-ID"] for mail in box.mails}) == 1
    assert len(box.mails) == 2


async def test_silence_after_the_body_is_uncertain(start: Callable[..., tuple[Box, int]]) -> None:
    """It may be in the box."""
    box, port = start()
    box.silent = 1
    with pytest.raises(UnansweredError):
        await to(port, timeout=1.0).deliver(rendered(FULL))
    assert len(box.mails) == 1
