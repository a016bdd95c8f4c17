"""HTTPS only, or not at all."""

from __future__ import annotations

import socket
import ssl
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from click.testing import CliRunner

from otel_trading.cli.commands import cli
from otel_trading.ops.opening import opened
from otel_trading.ops.terms import Terms
from tests.ops.conftest import Bot, drained

if TYPE_CHECKING:
    from tests.core.conftest import Configure
    from tests.ops.conftest import Serve, Served


class Files:
    """An authority and what it signed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.issue(self.authority)
        self.ca = str(folder / "ca.pem")
        self.authority.cert_pem.write_to_path(self.ca)

    def issue(self, authority: trustme.CA) -> None:
        """Write a new certificate and its key over the old ones, as those do who renew them."""
        made = authority.issue_cert("localhost", "127.0.0.1")
        for name, blobs in (("chain", made.cert_chain_pems), ("key", [made.private_key_pem])):
            path = self.folder / f"{name}.new"
            path.write_bytes(b"".join(blob.bytes() for blob in blobs))
            path.replace(self.folder / f"{name}.pem")

    @property
    def terms(self) -> dict[str, str]:
        return {"certificate": str(self.folder / "chain.pem"), "key": str(self.folder / "key.pem")}

    def context(self, *, client: bool = False) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if client:
            self.authority.issue_cert("ops@bot.example", common_name="a prober").configure_cert(context)
        return context


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def serial(served: Served) -> int:
    context = ssl.create_default_context(cafile=served.bot.service)
    bare = socket.create_connection(("127.0.0.1", served.port), timeout=20)
    with bare, context.wrap_socket(bare, server_hostname="localhost") as secured:
        return int(secured.getpeercert()["serialNumber"], 16)  # type: ignore[index, arg-type]


def test_https_only(serve: Serve, files: Files) -> None:
    """Plain text is not answered; the cookie of a session never leaves in plain text."""
    served = serve(**files.terms, token="secret")
    assert served.server.url.startswith("https://")
    served.context = files.context()
    answer = served.ask("POST", "/login", {"token": "secret"})
    assert answer.headers["set-cookie"].startswith(f"__Host-otel_trading_{served.port}=")
    assert "Secure" in answer.headers["set-cookie"]
    with served.connected() as plain:
        plain.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert not drained(plain).startswith(b"HTTP")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    served.context = old
    with pytest.raises((ssl.SSLError, ConnectionError)):
        served.get("/health")


def test_clients_may_have_to_show_a_certificate(serve: Serve, files: Files) -> None:
    """Without one nobody is heard; with one its name stands in the log, and the token is needed all the same."""
    served = serve(**files.terms, client_ca=files.ca, token="secret")
    served.context = files.context()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        served.get("/health")
    served.context = files.context(client=True)
    assert served.get("/health").status == 200
    assert served.ask("POST", "/emergency/stop").status == 401
    assert served.knowing("secret").ask("POST", "/emergency/stop").status == 200
    assert any("a prober" in message for message, event, _ in served.bot.told if event == "ops.change")


def test_renewed_files_are_taken_up(serve: Serve, files: Files, caplog: pytest.LogCaptureFixture) -> None:
    """Without a restart; as long as they are of no use the last ones stay, and one line says so."""
    served = serve(**files.terms)
    served.bot.service = files.ca
    first = serial(served)
    files.issue(files.authority)
    deadline = time.monotonic() + 30
    while serial(served) == first and time.monotonic() < deadline:
        time.sleep(0.2)
    second = serial(served)
    assert second != first
    (files.folder / "key.pem").write_text("no key")
    while not any("goes on with" in record.getMessage() for record in caplog.records) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert serial(served) == second


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"certificate": "/nowhere.pem"}, "ops_certificate=/nowhere.pem"),
        ({"key": "/nowhere.pem"}, "no such file"),
        ({"certificate": None}, "ops_key is set and ops_certificate is not"),
        ({"certificate": None, "key": None, "client_ca": "/ca.pem"}, "ops_client_ca is set and ops_certificate is not"),
        ({"client_ca": "/nowhere.pem"}, "ops_client_ca=/nowhere.pem cannot be used (no such file or directory)"),
        ({"key": "ca.pem"}, "cannot be used"),
    ],
)
def test_files_of_no_use_are_no_plain_text(files: Files, tmp_path: Path, change: dict[str, str], said: str) -> None:
    """The server is off then, and one sentence names the option, the file and why."""
    given = {**files.terms, **change}
    if given["key"] == "ca.pem":
        given["key"] = files.ca
    server, problems = opened(Bot(tmp_path), Terms("127.0.0.1", 0, **given), None, ())  # type: ignore[arg-type]
    assert server is None
    [problem] = map(str, problems)
    assert said in problem
    assert "the ops server is off" in problem


def test_a_bot_with_files_of_no_use(configured: Configure) -> None:
    """It runs, without an ops server."""
    handle = configured(ops_certificate="/nowhere.pem")
    assert handle.ops is None
    assert any("ops_certificate=/nowhere.pem" in problem for problem in handle.status().problems)


def test_hands_that_are_never_shaken(serve: Serve, files: Files) -> None:
    """Connections that do not begin to speak TLS are counted among the others, and leave for them."""
    served = serve(**files.terms)
    served.context = files.context()
    served.get("/health")
    before = len(list(Path("/proc/self/fd").iterdir()))
    silent = [served.connected() for _ in range(300)]
    assert served.get("/health").status == 200
    assert len(list(Path("/proc/self/fd").iterdir())) - before - len(silent) <= 140
    for each in silent:
        each.close()


def test_commands_find_the_bot(configured: Configure, files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the note that it left: its address, that it speaks HTTPS, and its certificate as the one to trust."""
    handle = configured(ops_certificate=files.terms["certificate"], ops_key=files.terms["key"])
    assert handle.ops is not None
    monkeypatch.setenv("OTEL_TRADING_OPS_PORT", str(handle.ops.port))
    deadline = time.monotonic() + 30
    told = CliRunner().invoke(cli, ["ops", "get", "/health"])
    while told.exit_code and time.monotonic() < deadline:
        told = CliRunner().invoke(cli, ["ops", "get", "/health"])
    assert told.exit_code == 0, told.output
    assert '"status"' in told.output
    url = f"https://127.0.0.1:{handle.ops.port}"
    trusting = ["ops", "get", "/health", "--url", url, "--ca"]
    assert CliRunner().invoke(cli, [*trusting, files.ca]).exit_code == 0
    other = files.folder / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    told = CliRunner().invoke(cli, [*trusting, str(other)])
    assert told.exit_code == 3
    assert "not trusted" in told.output
