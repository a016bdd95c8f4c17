from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from otel_trading.provisioning.grafana.client import Client, Place
from otel_trading.provisioning.grafana.errors import (
    ChangedMeanwhileError,
    GrafanaError,
    ProvisioningError,
    UnknownThereError,
)
from otel_trading.provisioning.grafana.folders import Folders
from otel_trading.provisioning.grafana.instance import instance
from tests.provisioning.conftest import VERSIONS
from tests.provisioning.standin import Standin
from tests.provisioning.standin.server import TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

HTML = "<!doctype html><html><body>Sign in to Example</body></html>"


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def client(grafana: Standin, waits: list[float]) -> Client:
    return Client(Place.of(os.environ), pause=waits.append)


@pytest.mark.parametrize("grafana", VERSIONS, indirect=True)
def test_each_version_is_known_by_what_it_says_and_serves(grafana: Standin, client: Client) -> None:
    found = instance(client)
    assert found.version == grafana.state.version
    assert found.major == grafana.state.major
    assert found.classic == {12: "v1beta1", 13: "v1"}.get(grafana.state.major)
    assert found.caution is None
    assert found.namespace == "default"


def test_a_hidden_version_is_found_out_on_the_way(grafana: Standin, client: Client) -> None:
    grafana.hidden = True
    found = instance(client)
    assert found.classic == "v1beta1"
    assert "hides its version" in str(found.caution)


@pytest.mark.parametrize("grafana", ["13.3.0"], indirect=True)
def test_where_nothing_tells_what_is_served_nothing_is_read_with_loss(grafana: Standin, client: Client) -> None:
    settings = '{"buildInfo": {"version": "13.3.0"}}'
    grafana.faults = [(200, settings, "application/json"), (403, '{"message": "denied"}', "application/json")]
    assert instance(client).classic == "v1"


@pytest.mark.parametrize("grafana", ["8.5.27"], indirect=True)
def test_what_is_too_old_is_refused(grafana: Standin, client: Client) -> None:
    with pytest.raises(GrafanaError, match=r"Grafana 8\.5\.27 is too old: this needs 9 or newer"):
        instance(client)


@pytest.mark.parametrize("grafana", ["14.0.0"], indirect=True)
def test_what_is_newer_than_known_is_said(grafana: Standin, client: Client) -> None:
    assert "newer than 13" in str(instance(client).caution)


@pytest.mark.parametrize(
    ("status", "text", "kind", "error", "words"),
    [
        (401, '{"message": "Invalid API key"}', "application/json", GrafanaError, "does not know the token"),
        (403, '{"message": "Access denied"}', "application/json", GrafanaError, "the role Editor"),
        (404, '{"message": "Not found"}', "application/json", UnknownThereError, "Not found"),
        (404, "404 page not found\n", "text/plain", UnknownThereError, "404 page not found"),
        (409, '{"message": "modified", "reason": "Conflict"}', "application/json", ChangedMeanwhileError, "modified"),
        (412, '{"message": "changed by someone else"}', "application/json", ChangedMeanwhileError, "someone else"),
        (400, '{"msg": "bad duration"}', "application/json", GrafanaError, "with 400: bad duration"),
        (200, HTML, "text/html", GrafanaError, "a page of HTML"),
        (404, HTML, "text/html", GrafanaError, "a page of HTML"),
        (302, "", "text/html", GrafanaError, "login page of a proxy"),
    ],
)
def test_refusals_are_told_in_words(
    grafana: Standin, client: Client, status: int, text: str, kind: str, error: type[Exception], words: str
) -> None:
    grafana.faults = [(status, text, kind)]
    with pytest.raises(error, match=words) as raised:
        client.get("/api/folders")
    assert TOKEN not in str(raised.value)
    assert TOKEN not in repr(client.place)


def test_what_can_be_repeated_is_tried_again(grafana: Standin, client: Client, waits: list[float]) -> None:
    grafana.faults = [(503, "", "text/plain"), (429, "", "text/plain"), (502, HTML, "text/html")]
    assert client.get("/api/folders") == []
    assert len(waits) == 3
    grafana.faults = [(500, '{"message": "broken"}', "application/json")] * 9
    with pytest.raises(GrafanaError, match="with 500: broken"):
        client.get("/api/folders")
    assert len(grafana.faults) == 5


def test_what_creates_something_is_not_repeated(grafana: Standin, client: Client, waits: list[float]) -> None:
    grafana.faults = [(503, '{"message": "busy"}', "application/json")]
    with pytest.raises(GrafanaError, match="busy"):
        client.ask("POST", "/api/folders", {"title": "Bots"})
    assert grafana.written == ["POST /api/folders"]
    assert not waits


def test_no_grafana_is_said_so(waits: list[float]) -> None:
    with Standin() as gone:
        url = gone.url
    with pytest.raises(GrafanaError, match=r"no answer from Grafana at http://127\.0\.0\.1"):
        Client(Place(url, TOKEN), pause=waits.append).get("/api/folders")


def test_the_organisation_is_named(grafana: Standin) -> None:
    client = Client(Place.of(os.environ, org=3))
    client.get("/api/folders")
    assert grafana.headers[-1]["X-Grafana-Org-Id"] == "3"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({}, "Set GRAFANA_URL"),
        ({"GRAFANA_URL": "ftp://x", "GRAFANA_TOKEN": "t"}, "no address of http"),
        ({"GRAFANA_URL": "http://x:99999", "GRAFANA_TOKEN": "t"}, "is no address"),
        ({"GRAFANA_URL": "https://admin:hunter2@x", "GRAFANA_TOKEN": "t"}, "holds a password"),
        ({"GRAFANA_URL": "https://x"}, "Set GRAFANA_TOKEN"),
        ({"GRAFANA_URL": "https://x", "GRAFANA_TOKEN": "a b"}, "characters that no token has"),
        ({"GRAFANA_URL": "https://x", "GRAFANA_TOKEN": "t", "GRAFANA_ORG_ID": "main"}, "allowed is a number"),
        ({"GRAFANA_URL": "https://x", "GRAFANA_TOKEN_FILE": "/not/there"}, "GRAFANA_TOKEN_FILE cannot be read"),
    ],
)
def test_what_is_missing_in_the_environment_is_named(variables: dict[str, str], words: str) -> None:
    with pytest.raises(ProvisioningError, match=words) as raised:
        Place.of(variables)
    assert "hunter2" not in str(raised.value)


def test_a_token_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", "utf-8")
    place = Place.of({"GRAFANA_URL": "grafana.example/g/", "GRAFANA_TOKEN_FILE": str(file)})
    assert (place.url, place.token) == ("http://grafana.example/g", TOKEN)
    assert place.is_overheard
    assert not Place("http://127.0.0.1:3000", "t").is_overheard


@pytest.fixture
def encrypted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[tuple[Standin, Path]]:
    import ssl

    authority = trustme.CA()
    certificate = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Standin(context=context) as standin:
        yield standin, certificate


def test_certificates_are_checked_and_one_can_be_named(encrypted: tuple[Standin, Path], waits: list[float]) -> None:
    standin, certificate = encrypted
    with pytest.raises(GrafanaError, match="its certificate is not trusted"):
        Client(Place(standin.url, TOKEN), pause=waits.append).get("/api/folders")
    assert not waits, "nothing is gained by trying again"
    assert Client(Place(standin.url, TOKEN, ca=certificate)).get("/api/folders") == []
    with pytest.raises(ProvisioningError, match="cannot be used"):
        Client(Place(standin.url, TOKEN, ca=Path("/not/there.pem")))


@pytest.mark.parametrize("grafana", ["11.6.4"], indirect=True)
def test_folders_are_found_by_their_titles(grafana: Standin, client: Client) -> None:
    folders = Folders(client)
    uid = folders.made("Trading/Venues")
    assert grafana.state.folders[uid]["parentUid"] == folders.uid("Trading")
    assert Folders(client).title(uid) == "Trading/Venues"
    assert Folders(client).made("Trading/Venues") == uid
    assert Folders(client).uid("Trading/Elsewhere") is None
    assert (folders.title("general"), folders.made("")) == ("", "")


def test_a_folder_whose_uid_is_taken_gets_another(grafana: Standin, client: Client) -> None:
    grafana.state.folders["trading"] = {"id": 1, "uid": "trading", "title": "Something else"}
    uid = Folders(client).made("Trading")
    assert uid != "trading"
    assert grafana.state.folders[uid]["title"] == "Trading"


def test_names_in_paths_are_what_they_are(grafana: Standin, client: Client) -> None:
    grafana.state.templates["a/b c"] = {"name": "a/b c", "template": "x"}
    from otel_trading.provisioning.grafana.alerting import TEMPLATES, Alerting

    alerting = Alerting(client)
    document: dict[str, Any] = {"name": "a/b c", "template": "y"}
    alerting.write(TEMPLATES, "a/b c", document, exists=True)
    assert grafana.state.templates["a/b c"]["template"] == "y"
