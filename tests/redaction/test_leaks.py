"""A bot full of secrets: none of them, and no half of one, gets anywhere."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import urllib.request
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from tests.environment import bare
from tests.export.receiver import Receiver
from tests.redaction.corpus import Secret, secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRETS = secrets()
_MASK = re.compile(rb"\[redacted:[a-z_]+\]")


@dataclass
class Outputs:
    """All bytes that left a bot, by where they went."""

    found: dict[str, bytes] = field(default_factory=dict)

    def leaks(self) -> list[tuple[str, str]]:
        """What of the secrets is where."""
        return [
            (place, each.spot)
            for place, content in self.found.items()
            for each in SECRETS
            for part in each.parts
            if part.encode() in content or json.dumps(part)[1:-1].encode() in content
        ]


def _files(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix not in {".py", ".corpus"}:
            content = path.read_bytes()
            yield path.name, content
            yield f"{path.name}, unpacked", _unpacked(content)


def _unpacked(content: bytes) -> bytes:
    """What is compressed inside, wherever it begins."""
    found = b""
    for start in (match.start() for match in re.finditer(rb"\x1f\x8b\x08|\x78[\x01\x5e\x9c\xda]", content)):
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 32)
        try:
            found += unpacker.decompress(content[start:])
        except zlib.error:
            continue
    return found


def _run(folder: Path, engine: str, endpoint: str, end: str = "end", redaction: str = "true") -> Outputs:
    corpus = folder / "texts.corpus"
    corpus.write_text(json.dumps([(each.text, each.secret) for each in SECRETS]))
    settings = {
        "ENGINE": engine,
        "ENDPOINT": endpoint,
        "SERVICE_NAME": "leaking-bot",
        "OPS_PORT": "0",
        "TRACES_RETENTION": "all",
        "FLIGHT_FOLDER": str(folder / "flight"),
        "SPOOL_FOLDER": str(folder / "spool"),
        "METRICS_FILE": str(folder / "metrics.json"),
        "METRICS_FILE_INTERVAL": "0.2",
        "CARDINALITY_LIMIT": "2000",
        "LOG_LEVEL": "DEBUG",
        "REDACTION": redaction,
    }
    variables = {f"OTEL_TRADING_{name}": value for name, value in settings.items()}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.redaction.leaking_bot", str(corpus), end],
        env=bare(**variables),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as bot:
        assert bot.stdin is not None
        assert bot.stdout is not None
        first = bot.stdout.readline()
        outputs = Outputs()
        if first:
            ops = json.loads(first)["ops"]
            for page in ("/metrics", "/status", "/health"):
                with urllib.request.urlopen(ops + page, timeout=10) as answer:
                    outputs.found[page] = answer.read()
        for name, content in _files(folder):
            outputs.found[f"{name}, while it runs"] = content
        rest, errors = bot.communicate(b"\n", timeout=60)
    outputs.found |= {"stdout": first + rest, "stderr": errors}
    outputs.found |= dict(_files(folder))
    assert first, errors.decode()[-2_000:]
    return outputs


def _received(receiver: Receiver) -> dict[str, bytes]:
    return {
        f"OTLP {signal}": b"".join(request.SerializeToString() for request in receiver.requests(signal))
        for signal in ("traces", "metrics", "logs")
    }


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_no_output_holds_a_secret(tmp_path: Path, engine: str) -> None:
    """Requests, recordings, the page, the file of metrics, the status, both streams."""
    with Receiver() as receiver:
        outputs = _run(tmp_path, engine, receiver.url)
        outputs.found |= _received(receiver)
    assert outputs.leaks() == []
    # There was something to find, and it arrived.
    for place in ("OTLP traces", "OTLP metrics", "OTLP logs", "/metrics", "metrics.json"):
        assert len(set(_MASK.findall(outputs.found[place]))) > 10, place
    assert b"trading_telemetry_redactions" in outputs.found["/metrics"]
    if engine == "native":
        running = b"".join(content for place, content in outputs.found.items() if "while it runs" in place)
        assert len(set(_MASK.findall(running))) > 10


@pytest.mark.parametrize("engine", ["native", "sdk"])
def test_the_spool_holds_no_secret(tmp_path: Path, engine: str) -> None:
    """While the Collector is away everything waits on the disk."""
    outputs = _run(tmp_path, engine, "http://127.0.0.1:1")
    assert outputs.leaks() == []
    spooled = b"".join(content for _, content in _files(tmp_path / "spool"))
    assert len(set(_MASK.findall(spooled))) > 10


def test_what_a_killed_bot_leaves_holds_no_secret(tmp_path: Path) -> None:
    """Its recordings and its spool."""
    outputs = _run(tmp_path, "native", "http://127.0.0.1:1", "kill")
    assert outputs.leaks() == []
    recorded = b"".join(content for _, content in _files(tmp_path / "flight"))
    assert len(set(_MASK.findall(recorded))) > 10


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    """With redaction off nearly every secret is found: the tests above can fail."""
    with Receiver() as receiver:
        outputs = _run(tmp_path, "native", receiver.url, redaction="false")
        outputs.found |= _received(receiver)
    spots = {spot for _, spot in outputs.leaks()}
    assert len(spots) > len({each.spot for each in SECRETS}) * 0.9


def test_compressed_content_is_searched() -> None:
    """As the search does it."""
    each = Secret("x", "x", "correct-horse-battery")
    packed = b"head" + gzip.compress(each.secret.encode())
    assert each.secret.encode() in _unpacked(packed)
