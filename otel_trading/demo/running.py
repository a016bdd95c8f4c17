"""Which demos run on this machine, so that a command can reach them: one small file each, in the cache directory."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from otel_trading.demo.venue import FaultError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FOLDER = "demo"
_TIMEOUT = 5.0


class NoDemoError(RuntimeError):
    """No demo runs, or none that answers."""


@dataclass(frozen=True, slots=True)
class RunningDemo:
    """A demo and where its venues are steered."""

    pid: int
    url: str

    def switch_on(self, fault: str) -> list[str]:
        """Start a fault and return those that are active.

        Raises:
            FaultError: the text cannot be read.
            NoDemoError: the demo does not answer.

        """
        return self._call("POST", json={"fault": fault})

    def switch_off(self) -> list[str]:
        """End all faults.

        Raises:
            NoDemoError: the demo does not answer.

        """
        return self._call("DELETE")

    def _call(self, method: str, json: object = None) -> list[str]:
        try:
            answer = requests.request(method, f"{self.url}/control/fault", json=json, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise NoDemoError(f"the demo with process id {self.pid} does not answer: {error}") from error
        content = answer.json()
        if not answer.ok:
            raise FaultError(content["error"])
        return list(content["faults"])


@contextmanager
def announced(cache: Path, url: str) -> Iterator[None]:
    """Let others find this process' venues while the block runs."""
    file = cache / _FOLDER / f"{os.getpid()}.json"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(".new")
        unfinished.write_text(json.dumps({"pid": os.getpid(), "url": url}), encoding="utf-8")
        unfinished.replace(file)
    except OSError:  # a read-only home costs this convenience and nothing else
        yield
        return
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find(cache: Path) -> RunningDemo:
    """Return the demo that was started last.

    Raises:
        NoDemoError: none runs.

    """
    files = sorted((cache / _FOLDER).glob("*.json"), key=lambda file: file.stat().st_mtime, reverse=True)
    for file in files:
        content = json.loads(file.read_text(encoding="utf-8"))
        if _alive(content["pid"]):
            return RunningDemo(content["pid"], content["url"])
        file.unlink(missing_ok=True)
    raise NoDemoError("no demo is running; start one in another terminal: otel-trading demo")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
