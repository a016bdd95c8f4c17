"""The stack as native processes: start, look, stop."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from otel_trading.extras import require
from otel_trading.stack.binaries import RECIPES, cache_directory
from otel_trading.stack.build import build
from otel_trading.stack.components import (
    BACKENDS,
    COMPONENTS,
    RETENTION_HOURS,
    Component,
    Site,
    component_named,
    grafana_environment,
    program_of,
)
from otel_trading.stack.errors import StackError, StartError
from otel_trading.stack.ports import Ports, check_free
from otel_trading.stack.process import ProcessRecord, start_detached, tail
from otel_trading.stack.progress import NoProgress, Progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

READY_SECONDS = 60.0
READY_POLL_SECONDS = 0.05
PROBE_SECONDS = 2.0
COMPONENTS_WITH_PAGES = {"prometheus", "alertmanager", "jaeger"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentStatus:
    """What one component is doing: ``state`` is ``ready``, ``starting``, ``stopped`` or ``skipped``."""

    name: str
    state: str
    link: str
    offers: str
    pid: int | None = None
    running_seconds: float | None = None
    detail: str = ""


class Stack:
    """Collector, Prometheus, Alertmanager, Jaeger and Loki as native processes on loopback.

    The processes outlive this object: another `Stack` over the same data directory finds, inspects and ends them.
    Grafana is started with them where it is on the PATH and ``GRAFANA_ADMIN_PASSWORD`` is set.

    Args:
        ports: where to listen; by default what the running stack uses, else the environment, else the defaults.
        data_dir: data, logs and process records; by default ``OTEL_TRADING_STACK_DATA``, else ``stack`` in the cache.
        cache_root: where binaries are built, see `cache_directory`.
        retention_hours: how long the backends keep things, 30 days by default (``RETENTION_HOURS``).
        settings: further variables of the configuration files, such as ``SPAN_METRICS_INTERVAL``.
        progress: told what happens.

    Example:
        ::

            with Stack(ports=Ports.free(), data_dir=tmp_path) as stack:
                send_to(stack.urls["otlp_http"])

    """

    def __init__(
        self,
        *,
        ports: Ports | None = None,
        data_dir: Path | None = None,
        cache_root: Path | None = None,
        retention_hours: int | None = None,
        settings: Mapping[str, str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.cache_root = cache_root or cache_directory()
        data = data_dir or Path(os.environ.get("OTEL_TRADING_STACK_DATA") or self.cache_root / "stack")
        self.data_dir = data.expanduser().absolute()
        self.progress: Progress = progress or NoProgress()
        hours = retention_hours or _hours(os.environ.get("RETENTION_HOURS"))
        chosen = ports or (self._recorded_ports() if self.is_running() else None) or Ports.from_environment()
        self.site = Site(ports=chosen, data=self.data_dir, retention_hours=hours, settings=dict(settings or {}))

    def __enter__(self) -> Self:
        """Start everything."""
        self.up()
        return self

    def __exit__(self, *_exception: object) -> None:
        """End everything."""
        self.down()

    @property
    def ports(self) -> Ports:
        """The ports in use."""
        return self.site.ports

    @property
    def urls(self) -> Mapping[str, str]:
        """The addresses of OTLP, the backends' APIs and the Collector's own metrics."""
        return {name: self.site.url(name) for name in asdict(self.ports)}

    def up(self, components: Iterable[str] = tuple(COMPONENTS)) -> None:
        """Start what does not run yet, in order, and wait until each is ready.

        Raises:
            BuildError: a binary is missing and cannot be built.
            PortTakenError: somebody else listens on one of the ports.
            StartError: a component ended, or did not become ready in time.

        """
        wanted = [component_named(name) for name in COMPONENTS if name in set(components)]
        self._run_dir.mkdir(parents=True, exist_ok=True)
        with (self._run_dir / "lock").open("w") as lock:  # a second `up` waits, and then finds everything running
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._up(wanted)

    def _up(self, wanted: list[Component]) -> None:
        build(
            [c.name for c in wanted if c.name in BACKENDS and not self._alive(c.name)],
            cache_root=self.cache_root,
            progress=self.progress,
        )
        starting = [c for c in wanted if not self._alive(c.name) and not self._why_skipped(c.name)]
        check_free(self.ports, [port for component in starting for port in component.listens])
        self._ports_file.write_text(json.dumps(asdict(self.ports)))
        for component in starting:
            self._launch(component)
        for component in starting:
            self._wait_until_ready(component)

    def start(self, name: str) -> None:
        """Start one component and wait until it is ready."""
        self.up([name])

    def stop(self, name: str, *, kill: bool = False) -> None:
        """End one component: SIGTERM and patience, or at once with ``kill``."""
        component = component_named(name)
        record = self._record(name)
        if record is None:
            return
        if record.is_alive():
            self.progress.begin(name, "stopping")
            if kill:
                record.send(signal.SIGKILL)
            clean = record.stop(grace_seconds=component.grace_seconds)
            self.progress.finish(name, "stopped" if clean else "killed, it did not end by itself")
        self._record_file(name).unlink(missing_ok=True)

    def down(self, *, volumes: bool = False) -> None:
        """End every process this stack started, the Collector before its backends.

        Args:
            volumes: also delete what the backends have stored.

        """
        for name in reversed(COMPONENTS):
            self.stop(name)
        if volumes:
            for folder in (*COMPONENTS, "logs", "run"):
                shutil.rmtree(self.data_dir / folder, ignore_errors=True)

    def status(self) -> list[ComponentStatus]:
        """Tell how every component is."""
        return [self._status_of(component) for component in COMPONENTS.values()]

    def is_running(self) -> bool:
        """Tell whether any process of this stack runs."""
        return any(self._alive(name) for name in COMPONENTS)

    def pid(self, name: str) -> int | None:
        """Return the process id of a component that runs."""
        record = self._record(name)
        return record.pid if record and record.is_alive() else None

    def log_file(self, name: str) -> Path:
        """Return where a component's output goes."""
        return self.data_dir / "logs" / f"{component_named(name).name}.log"

    @property
    def _run_dir(self) -> Path:
        return self.data_dir / "run"

    @property
    def _ports_file(self) -> Path:
        return self._run_dir / "ports.json"

    def _recorded_ports(self) -> Ports | None:
        try:
            return Ports(**json.loads(self._ports_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _record_file(self, name: str) -> Path:
        return self._run_dir / f"{name}.json"

    def _record(self, name: str) -> ProcessRecord | None:
        return ProcessRecord.load(self._record_file(name))

    def _alive(self, name: str) -> bool:
        return self.pid(name) is not None

    def _why_skipped(self, name: str) -> str:
        if name != "grafana":
            return ""
        if program_of(name, self.cache_root) is None:
            return "not on the PATH, and not a Go module: install Grafana 12 or newer, or use compose"
        return "" if os.environ.get("GRAFANA_ADMIN_PASSWORD") else "set GRAFANA_ADMIN_PASSWORD to start it"

    def _has_only_api(self, name: str) -> bool:
        if name not in COMPONENTS_WITH_PAGES:
            return name == "loki"
        record = self._record(name)
        is_built_here = record is not None and Path(record.program).is_relative_to(self.cache_root)
        return is_built_here and not RECIPES[name].has_pages

    def _launch(self, component: Component) -> None:
        program = program_of(component.name, self.cache_root)
        if program is None:
            raise StackError(f"{component.name} is not built; run: otel-trading stack build")
        environment = self.site.environment()
        if component.name == "grafana":
            environment |= grafana_environment(self.site, program)
        self.progress.begin(component.name, "starting")
        record = start_detached(
            [str(program), *component.arguments(self.site)],
            environment=environment,
            log=self.log_file(component.name),
        )
        record.save(self._record_file(component.name))

    def _wait_until_ready(self, component: Component) -> None:
        began = time.monotonic()
        while not self._is_ready(component):
            waited = time.monotonic() - began
            if not self._alive(component.name) or waited > READY_SECONDS:
                what = f"is not ready after {waited:.0f} s" if self._alive(component.name) else "ended"
                log = self.log_file(component.name)
                raise StartError(f"{component.name} {what}. The end of {log}:\n{tail(log)}")
            time.sleep(READY_POLL_SECONDS)
        self.progress.finish(component.name, "ready")

    def _is_ready(self, component: Component) -> bool:
        requests = require("requests", extra="cli")
        try:
            answer = requests.get(self.site.url(*component.ready), timeout=PROBE_SECONDS)
        except requests.RequestException:
            return False
        return bool(answer.ok)

    def _status_of(self, component: Component) -> ComponentStatus:
        record = self._record(component.name)
        alive = record is not None and record.is_alive()
        skipped = "" if alive else self._why_skipped(component.name)
        state = "skipped" if skipped else "stopped"
        if alive:
            state = "ready" if self._is_ready(component) else "starting"
        return ComponentStatus(
            name=component.name,
            state=state,
            link=self.site.url(*component.link),
            offers=component.offers + (", API only" if self._has_only_api(component.name) else ""),
            pid=record.pid if record and alive else None,
            running_seconds=record.running_seconds() if record and alive else None,
            detail=skipped,
        )


def _hours(text: str | None) -> int:
    if not text:
        return RETENTION_HOURS
    if not text.isdecimal() or int(text) == 0:
        raise StackError(f"RETENTION_HOURS={text!r} is not a number of hours")
    return int(text)
