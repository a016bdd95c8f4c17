"""Requests to Grafana's HTTP API: who asks, what is tried again, and what each refusal means in words."""

from __future__ import annotations

import json
import re
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from otel_trading import __version__
from otel_trading.provisioning.grafana.errors import (
    ChangedMeanwhileError,
    GrafanaError,
    ProvisioningError,
    UnknownThereError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OLDEST, NEWEST = 9, 13
"""The major versions of Grafana whose documentation this keeps to."""

_IDEMPOTENT = frozenset({"DELETE", "GET", "PUT"})
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
_LONGEST_WAIT = 30.0
_LOCAL = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Place:
    """Where Grafana is, and what opens it.

    Args:
        url: its address, with the path it is served under.
        token: of a service account; never printed.
        org: the number of the organisation; None for the token's own.
        ca: a file of certificates that are trusted beside those of the system.

    """

    url: str
    token: str = field(repr=False)
    org: int | None = None
    ca: Path | None = None

    @classmethod
    def of(
        cls, environment: Mapping[str, str], url: str | None = None, org: int | None = None, ca: Path | None = None
    ) -> Place:
        """The place that the environment names: GRAFANA_URL, GRAFANA_TOKEN or GRAFANA_TOKEN_FILE, GRAFANA_ORG_ID, GRAFANA_CA.

        Raises:
            ProvisioningError: a variable is missing, or says what it cannot.

        """  # noqa: E501 - names of variables
        address = (url or environment.get("GRAFANA_URL", "")).rstrip("/")
        if not address:
            raise ProvisioningError("where is Grafana? Set GRAFANA_URL, or give --url https://grafana.example")
        address = address if "://" in address else f"http://{address}"
        try:
            parts = urlsplit(address)
            _ = parts.port
        except ValueError as error:
            raise ProvisioningError(f"--url or GRAFANA_URL is no address: {error}") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ProvisioningError("--url or GRAFANA_URL is no address of http or https")
        if parts.username or parts.password:
            raise ProvisioningError("--url or GRAFANA_URL holds a password; a token in GRAFANA_TOKEN is what is used")
        if org is None and (given := environment.get("GRAFANA_ORG_ID")):
            if not given.isdecimal():
                raise ProvisioningError(f"GRAFANA_ORG_ID is {given!r}; allowed is a number")
            org = int(given)
        trusted = ca or (Path(environment["GRAFANA_CA"]) if environment.get("GRAFANA_CA") else None)
        return cls(address, _token(environment), org, trusted)

    @property
    def is_overheard(self) -> bool:
        """Whether the token goes through a network unencrypted."""
        parts = urlsplit(self.url)
        return parts.scheme == "http" and parts.hostname not in _LOCAL


@dataclass(frozen=True, slots=True)
class Answer:
    """What Grafana answered: a status, and JSON or None."""

    status: int
    body: Any


class Client:
    """Requests to one Grafana.

    Args:
        place: where it is.
        timeout: seconds to wait for a connection, and for each answer.
        attempts: how often a request that changes nothing twice is made before it is given up.
        pause: waits for so many seconds between attempts.

    """

    def __init__(
        self, place: Place, *, timeout: float = 20.0, attempts: int = 4, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self.place = place
        self._attempts = attempts
        self._pause = pause
        self._pool = _pool(place, timeout)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
        also: frozenset[int] = frozenset(),
    ) -> Answer:
        """An answer below 400, or one of ``also``.

        Raises:
            ChangedMeanwhileError: 409 or 412, a newer version is there.
            UnknownThereError: 404.
            GrafanaError: every other refusal, no answer, or none of Grafana's.

        """
        address = self.place.url + path + (f"?{urlencode(query)}" if query else "")
        sent = {"Accept": "application/json", "User-Agent": f"otel-trading/{__version__}", **(headers or {})}
        sent["Authorization"] = f"Bearer {self.place.token}"
        if self.place.org is not None:
            sent["X-Grafana-Org-Id"] = str(self.place.org)
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        if content is not None:
            sent["Content-Type"] = "application/json"
        answer = self._answered(method, address, content, sent)
        what = f"{method} {path}"
        if 300 <= answer.status < 400:  # noqa: PLR2004 - of HTTP
            raise GrafanaError(
                f"{self.place.url} sends {what} elsewhere ({answer.status}): is there a login page of a proxy in front "
                "of it, or does the address lack its path or https?",
                answer.status,
            )
        found = self._decoded(answer, what)
        if answer.status >= 400 and answer.status not in also:  # noqa: PLR2004 - of HTTP
            raise self._refusal(answer.status, found, what)
        return Answer(answer.status, found)

    def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - JSON
        """The JSON that is at a path."""
        return self.ask("GET", path, query=query or None).body

    def _answered(
        self, method: str, address: str, content: bytes | None, headers: Mapping[str, str]
    ) -> urllib3.BaseHTTPResponse:
        left = self._attempts if method in _IDEMPOTENT else 1
        wait = 0.5
        while True:
            left -= 1
            try:
                answer = self._pool.request(method, address, body=content, headers=headers)
            except (urllib3.exceptions.HTTPError, ValueError) as error:
                if left <= 0 or isinstance(_reason(error), urllib3.exceptions.SSLError | ValueError):
                    raise GrafanaError(f"no answer from Grafana at {self.place.url}{_why(error)}") from error
            else:
                if left <= 0 or answer.status not in _TRY_AGAIN:
                    return answer
                asked = answer.headers.get("Retry-After", "")
                wait = float(asked) if asked.isdecimal() else wait
            self._pause(min(wait, _LONGEST_WAIT))
            wait *= 2

    def _decoded(self, answer: urllib3.BaseHTTPResponse, what: str) -> Any:  # noqa: ANN401 - JSON
        if not answer.data:
            return None
        try:
            return json.loads(answer.data)
        except ValueError as error:
            looks = answer.data.lstrip()[:1] == b"<" or "html" in answer.headers.get("Content-Type", "")
            if answer.status == 404 and not looks:  # noqa: PLR2004 - of HTTP
                return {"message": answer.data.decode(errors="replace").strip()[:200]}
            raise GrafanaError(
                f"{self.place.url} answers {what} with {answer.status} and "
                f"{'a page of HTML' if looks else 'no JSON'}: what answers there is no API of Grafana; is the address "
                "right, with the path Grafana is served under, and does a proxy ask for a login?",
                answer.status,
            ) from error

    def _refusal(self, status: int, found: Any, what: str) -> GrafanaError:  # noqa: ANN401 - JSON
        said = _said(found)
        why = f": {said}" if said else ""
        match status:
            case 401:
                return GrafanaError(f"Grafana at {self.place.url} does not know the token (401){why}", status)
            case 403:
                return GrafanaError(
                    f"the token may not {what} (403){why}; its service account needs the role Editor, and for alerting "
                    "the permissions alert.provisioning:read and :write",
                    status,
                )
            case 404:
                return UnknownThereError(f"Grafana has no {what.partition(' ')[2]} (404){why}", status)
            case 409 | 412:
                return ChangedMeanwhileError(f"Grafana refuses {what} ({status}){why}", status)
            case _:
                return GrafanaError(f"Grafana answers {what} with {status}{why}", status)


def path(*parts: str) -> str:
    """A path whose parts are what they are, whatever is in them.

    >>> path("api", "folders", "a/b c")
    '/api/folders/a%2Fb%20c'
    """
    return "".join(f"/{quote(part, safe='')}" for part in parts)


def _token(environment: Mapping[str, str]) -> str:
    token = environment.get("GRAFANA_TOKEN", "").strip()
    if not token and (name := environment.get("GRAFANA_TOKEN_FILE")):
        try:
            token = Path(name).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise ProvisioningError(f"GRAFANA_TOKEN_FILE cannot be read: {error}") from error
    if not token:
        raise ProvisioningError("what opens Grafana? Set GRAFANA_TOKEN, or GRAFANA_TOKEN_FILE, to a service account's")
    if not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ProvisioningError("the token of GRAFANA_TOKEN or GRAFANA_TOKEN_FILE has characters that no token has")
    return token


def _pool(place: Place, timeout: float) -> urllib3.PoolManager:
    waits = urllib3.Timeout(connect=min(timeout, 5.0), read=timeout)
    if not place.url.startswith("https:"):
        return urllib3.PoolManager(retries=False, timeout=waits)
    try:
        context = ssl.create_default_context()
        if place.ca is not None:
            context.load_verify_locations(cafile=str(place.ca))
    except (OSError, ValueError) as error:
        raise ProvisioningError(f"--ca or GRAFANA_CA: {place.ca} cannot be used: {error}") from error
    return urllib3.PoolManager(retries=False, timeout=waits, ssl_context=context)


def _reason(error: Exception) -> BaseException:
    reason = getattr(error, "reason", None)
    return reason if isinstance(reason, BaseException) else error


def _why(error: Exception) -> str:
    if isinstance(_reason(error), urllib3.exceptions.SSLError):
        return f": its certificate is not trusted ({_reason(error)}); see --ca"
    if isinstance(_reason(error), urllib3.exceptions.ReadTimeoutError):
        return ": it takes the connection and says nothing"
    return "; is it running, and is the address right?"


def _said(found: Any) -> str:  # noqa: ANN401 - JSON
    """What Grafana says in words: its APIs have three ways of it."""
    if not isinstance(found, dict):
        return ""
    parts = [found.get(key) for key in ("message", "msg", "error")]
    return "; ".join(dict.fromkeys(part for part in parts if isinstance(part, str) and part))
