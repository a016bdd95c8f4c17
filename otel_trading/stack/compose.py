"""The stack in containers: whether a Docker engine answers, and ``docker compose`` over compose.yaml."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.stack.alerting import for_containers
from otel_trading.stack.binaries import cache_directory
from otel_trading.stack.errors import StackError
from otel_trading.stack.files import config_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENGINE_SECONDS = 4.0
PASSWORD_VARIABLE = "GRAFANA_ADMIN_PASSWORD"  # noqa: S105 - the name of the variable


def why_no_engine() -> str:
    """Return why compose cannot be used here, or nothing if it can."""
    if shutil.which("docker") is None:
        return "docker is not on the PATH"
    for question in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            answer = subprocess.run(  # noqa: S603 - fixed arguments
                question, capture_output=True, text=True, timeout=ENGINE_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            return f"`{' '.join(question)}` did not answer within {ENGINE_SECONDS:.0f} s"
        except OSError as error:
            return f"`{' '.join(question)}` cannot be executed: {error.strerror}"
        if answer.returncode != 0:
            reason = (answer.stderr.strip().splitlines() or ["no reason given"])[-1]
            return f"`{' '.join(question)}` says: {reason}"
    return ""


@dataclass(frozen=True, slots=True)
class ComposeStack:
    """The stack that compose.yaml describes; each method returns the exit status of ``docker compose``."""

    def up(self) -> int:
        """Create and start the containers, and wait until those with a health check are healthy.

        Raises:
            StackError: a secret that has no default is not in the environment, or an ALERT_* variable cannot be used.

        """
        if not os.environ.get(PASSWORD_VARIABLE):
            raise StackError(f"Grafana needs an administrator's password: export {PASSWORD_VARIABLE}=... and try again")
        data = Path(os.environ.get("OTEL_TRADING_STACK_DATA") or cache_directory() / "stack")
        mounted = for_containers(data.expanduser().absolute(), os.environ)
        return self._run(["up", "--detach", "--wait"], mounted)

    def status(self) -> int:
        """Show the containers; not zero if one of them does not run."""
        shown = self._run(["ps", "--all"])
        return shown or (1 if self._services("config", "--services") - self._services(*_RUNNING) else 0)

    def logs(self, components: Sequence[str], *, follow: bool) -> int:
        """Show the output of the containers, or of some."""
        return self._run(["logs", "--tail=200", *(["--follow"] if follow else []), *components])

    def down(self, *, volumes: bool) -> int:
        """Remove the containers, and with ``volumes`` what they have stored."""
        return self._run(["down", *(["--volumes"] if volumes else [])])

    def is_running(self) -> bool:
        """Tell whether any of the containers runs."""
        return bool(self._services(*_RUNNING))

    def _services(self, *arguments: str) -> set[str]:
        answer = subprocess.run(  # noqa: S603 - fixed arguments
            self._command(arguments), capture_output=True, text=True, check=False, env=self._environment()
        )
        return set(answer.stdout.split())

    def _run(self, arguments: Sequence[str], more: Mapping[str, str] | None = None) -> int:
        environment = {**self._environment(), **(more or {})}
        return subprocess.run(self._command(arguments), check=False, env=environment).returncode  # noqa: S603

    @staticmethod
    def _command(arguments: Sequence[str]) -> list[str]:
        return ["docker", "compose", "--file", str(config_file("compose.yaml")), *arguments]

    @staticmethod
    def _environment() -> dict[str, str]:
        # what is already running must be shown and removed without the password at hand
        return {PASSWORD_VARIABLE: "not-used", **os.environ}


_RUNNING = ("ps", "--services", "--status=running")
