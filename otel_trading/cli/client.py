"""How commands talk to a running bot: one client for all of them."""

from __future__ import annotations

import functools
import json
import ssl
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import click
import urllib3

from otel_trading.ops import notes
from otel_trading.ops.terms import Terms
from otel_trading.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

NO_ANSWER = 3
"""The exit status when no bot answers."""

_TIMEOUT = urllib3.Timeout(connect=3.0, read=25.0)
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a server listens at, nobody can ask


class NoAnswerError(click.ClickException):
    """No bot answers there; exits with 3."""

    exit_code = NO_ANSWER


class RefusedByBotError(click.ClickException):
    """The bot answers that it will not; exits with 1."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Client:
    """A running bot's ops server.

    Args:
        url: where it is found.
        token: shown with each request.
        pool: the connections, with what is known of certificates.

    """

    url: str
    token: str | None
    pool: urllib3.PoolManager

    def get(self, path: str, **headers: str) -> Any:  # noqa: ANN401 - JSON
        """The JSON of a page."""
        return self.decoded(path, self.ask("GET", path, headers=headers))

    def text(self, path: str, **headers: str) -> str:
        """A page as text."""
        return self.ask("GET", path, headers=headers).data.decode(errors="replace")

    def post(self, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """What a change answers."""
        return self.decoded(path, self.ask("POST", path, body))

    def put(self, path: str, body: object) -> Any:  # noqa: ANN401 - JSON
        """What a change answers."""
        return self.decoded(path, self.ask("PUT", path, body))

    def delete(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """What a change answers."""
        return self.decoded(path, self.ask("DELETE", path))

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, *also: int
    ) -> urllib3.BaseHTTPResponse:
        """An answer with a status below 400, or one of ``also``; what else is answered is raised in words."""
        sent = {"Accept": "application/json", "User-Agent": "otel-trading", **(headers or {})}
        if self.token is not None:
            sent["Authorization"] = f"Bearer {self.token}"
        content = None
        if body is not None:
            sent["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        try:
            answer = self.pool.request(method, self.url + path, body=content, headers=sent, timeout=_TIMEOUT)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise NoAnswerError(f"no bot answers at {self.url}{_why(error)}") from error
        if answer.status >= 400 and answer.status not in also:  # noqa: PLR2004 - of HTTP
            raise RefusedByBotError(f"{self.url} answers {answer.status}: {_detail(answer)}", answer.status)
        return answer

    def decoded(self, path: str, answer: urllib3.BaseHTTPResponse) -> Any:  # noqa: ANN401 - JSON
        """The JSON of an answer."""
        try:
            return json.loads(answer.data)
        except ValueError as error:
            raise NoAnswerError(
                f"no bot answers at {self.url}: what is there does not know {path}; is --url right?"
            ) from error


def asks_a_bot(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which bot a command asks; it gets a ``Client`` as ``bot``."""

    @functools.wraps(command)
    def asking(*, url: str | None, token: str | None, ca: Path | None, cert: Path | None, **options: Any) -> Any:  # noqa: ANN401 - the command's
        return command(bot=client(url, token, ca, cert), **options)

    file = click.Path(path_type=Path, dir_okay=False)
    added: Any = asking
    for add in (
        click.option("--cert", type=file, help="Our certificate and its key, for bots that ask for one."),
        click.option("--ca", type=file, help="Whom the bot's certificate is checked against; else itself."),
        click.option("--token", help="What opens the ops server; else ops_token, or what the bot left for this user."),
        click.option("--url", help="The bot's ops server; else where the bot's own options say it is."),
    ):
        added = add(added)
    return added  # type: ignore[no-any-return]


def client(
    url: str | None = None, token: str | None = None, ca: Path | None = None, cert: Path | None = None
) -> Client:
    """The bot that is meant: at this URL, else where the options of this folder say it is."""
    settings = resolve({}).settings
    terms = Terms.of(settings)
    terms = replace(terms, host=_EVERYWHERE.get(terms.host, terms.host))
    address = (url or terms.url(terms.port)).rstrip("/")
    if "://" not in address:
        address = f"http://{address}"
    note = _note_of(address)
    if url is None and note is not None and note.url.startswith("https:"):
        address = address.replace("http:", "https:", 1)
    own = note.token if note is not None else None
    trusted = ca or next((Path(each) for each in (terms.certificate, note and note.certificate) if each), None)
    return Client(address, token or settings.ops_token or own, _pool(address, trusted, cert))


def _note_of(address: str) -> notes.Note | None:
    """What the bot at this address left; of two the one that was written last wins by its address and port."""
    wanted = _place(address)
    return next((note for note in notes.found() if _place(note.url) == wanted), None)


def _place(url: str) -> tuple[str, int | None]:
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise click.BadParameter(f"{url}: {error}", param_hint="--url") from error
    return _EVERYWHERE.get(host, "127.0.0.1" if host == "localhost" else host), port


def _pool(address: str, trusted: Path | None, cert: Path | None) -> urllib3.PoolManager:
    if not address.startswith("https:"):
        return urllib3.PoolManager(retries=False)
    try:
        context = ssl.create_default_context(cafile=None if trusted is None else str(trusted))
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the bot's own certificate is one to trust
        if cert is not None:
            context.load_cert_chain(cert)
    except (OSError, ValueError) as error:
        files = " or ".join(str(each) for each in (trusted, cert) if each is not None)
        raise click.ClickException(f"{files} cannot be used: {error}") from error
    return urllib3.PoolManager(retries=False, ssl_context=context)


def _why(error: Exception) -> str:
    if isinstance(error, urllib3.exceptions.SSLError):
        return f": its certificate is not trusted ({error}); see --ca"
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return ": it takes the connection and says nothing"
    return "; is it running, and is --url right?"


def _detail(answer: urllib3.BaseHTTPResponse) -> str:
    try:
        return str(json.loads(answer.data)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(answer.reason)
