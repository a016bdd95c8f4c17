"""The components of the stack: what each is started with, where it listens and how one knows that it is ready."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from otel_trading.stack.alerting import write_alertmanager, write_provisioning, write_rules
from otel_trading.stack.binaries import RECIPES, find_binary, reported_version
from otel_trading.stack.errors import StackError
from otel_trading.stack.files import config_file
from otel_trading.stack.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from otel_trading.stack.ports import Ports

RETENTION_HOURS = 30 * 24
GRAFANA_MINIMUM = (12, 0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """Where one stack lives: its ports, its data, for how long that is kept, and other variables of the files."""

    ports: Ports
    data: Path
    retention_hours: int = RETENTION_HOURS
    settings: Mapping[str, str] = field(default_factory=dict)

    def url(self, port: str, path: str = "") -> str:
        """Return the address of one of the ports."""
        return f"http://{LOOPBACK}:{getattr(self.ports, port)}{path}"

    def folder(self, *parts: str) -> Path:
        """Return a folder of the data directory, created when missing."""
        folder = self.data.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def environment(self) -> dict[str, str]:
        """Return what the processes see.

        Variables of the OpenTelemetry SDK are taken out: they are meant for the bot, and some backends would obey
        them and send their own telemetry there.
        """
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        hosts = dict.fromkeys(
            ("LISTEN_HOST", "PROMETHEUS_HOST", "JAEGER_HOST", "LOKI_HOST", "ALERTMANAGER_HOST"), LOOPBACK
        )
        return {
            "HOSTNAME": socket.gethostname(),
            **inherited,
            **self.ports.environment(),
            **hosts,
            "RETENTION_HOURS": str(self.retention_hours),
            "COLLECTOR_DATA": str(self.folder("collector")),
            "JAEGER_DATA": str(self.folder("jaeger")),
            "LOKI_DATA": str(self.folder("loki")),
            "PROMETHEUS_URL": self.url("prometheus"),
            "LOKI_URL": self.url("loki"),
            "JAEGER_URL": self.url("jaeger_ui"),
            "ALERTMANAGER_URL": self.url("alertmanager"),
            **self.settings,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """One program of the stack.

    Args:
        name: as in ``compose.yaml`` and on the command line.
        arguments: makes the command line, without the program, for a site.
        listens: its ports, by the names of `Ports`.
        ready: the port and path that answer 200 once it is ready.
        link: the port and path a person opens, and what is there.
        grace_seconds: how long it may take to end by itself.

    """

    name: str
    arguments: Callable[[Site], list[str]]
    listens: tuple[str, ...]
    ready: tuple[str, str]
    link: tuple[str, str]
    offers: str
    grace_seconds: float = 15.0


def _prometheus(site: Site) -> list[str]:
    settings = site.folder("prometheus", "settings")
    shutil.copy(config_file("collector", "prometheus.yml"), settings / "prometheus.yml")
    write_rules(settings / "rules", site.environment())
    targets = site.folder("prometheus", "settings", "targets")
    scraped = {
        "otelcol": "collector_metrics",
        "prometheus": "prometheus",
        "alertmanager": "alertmanager",
        "jaeger": "jaeger_metrics",
        "loki": "loki",
    }
    (targets / "scrape.yml").write_text(
        "".join(
            f'- {{targets: ["{LOOPBACK}:{getattr(site.ports, port)}"], labels: {{component: {name}}}}}\n'
            for name, port in scraped.items()
        )
    )
    (targets / "alertmanager.yml").write_text(f'- targets: ["{LOOPBACK}:{site.ports.alertmanager}"]\n')
    return [
        f"--config.file={settings / 'prometheus.yml'}",
        f"--storage.tsdb.path={site.folder('prometheus', 'tsdb')}",
        f"--storage.tsdb.retention.time={site.retention_hours}h",
        f"--web.listen-address={LOOPBACK}:{site.ports.prometheus}",
        "--web.enable-otlp-receiver",
        "--enable-feature=exemplar-storage",
    ]


def _alertmanager(site: Site) -> list[str]:
    return [
        f"--config.file={write_alertmanager(site.folder('alertmanager', 'settings'), site.environment())}",
        f"--storage.path={site.folder('alertmanager')}",
        f"--web.listen-address={LOOPBACK}:{site.ports.alertmanager}",
        "--cluster.listen-address=",  # one instance; otherwise it opens a port on every address
        f"--data.retention={site.retention_hours}h",
    ]


def _jaeger(_site: Site) -> list[str]:
    return [f"--config={config_file('collector', 'jaeger.yaml')}"]


def _loki(_site: Site) -> list[str]:
    return [f"-config.file={config_file('collector', 'loki.yaml')}", "-config.expand-env=true"]


def _collector(_site: Site) -> list[str]:
    return [f"--config={config_file('collector', 'agent.yaml')}"]


def _grafana(_site: Site) -> list[str]:
    return ["server"]


# in the order they are started; stopped the other way round, so that the Collector hands over what it holds
COMPONENTS = {
    component.name: component
    for component in (
        Component(
            name="jaeger",
            arguments=_jaeger,
            listens=("jaeger_otlp", "jaeger_ui", "jaeger_grpc", "jaeger_health", "jaeger_metrics"),
            ready=("jaeger_health", "/status"),
            link=("jaeger_ui", ""),
            offers="traces",
        ),
        Component(
            name="loki",
            arguments=_loki,
            listens=("loki", "loki_grpc"),
            ready=("loki", "/ready"),
            link=("loki", ""),
            offers="logs",
            grace_seconds=30.0,
        ),
        Component(
            name="alertmanager",
            arguments=_alertmanager,
            listens=("alertmanager",),
            ready=("alertmanager", "/-/ready"),
            link=("alertmanager", ""),
            offers="alerts",
        ),
        Component(
            name="prometheus",
            arguments=_prometheus,
            listens=("prometheus",),
            ready=("prometheus", "/-/ready"),
            link=("prometheus", ""),
            offers="metrics, rules",
            grace_seconds=30.0,
        ),
        Component(
            name="collector",
            arguments=_collector,
            listens=("otlp_grpc", "otlp_http", "collector_health", "collector_metrics"),
            ready=("collector_health", "/"),
            link=("otlp_http", ""),
            offers="OTLP over HTTP",
        ),
        Component(
            name="grafana",
            arguments=_grafana,
            listens=("grafana",),
            ready=("grafana", "/api/health"),
            link=("grafana", ""),
            offers="dashboards",
        ),
    )
}
BACKENDS = tuple(RECIPES)


def component_named(name: str) -> Component:
    """Return a component by its name.

    Raises:
        StackError: there is none; the message lists those that exist.

    """
    if name not in COMPONENTS:
        raise StackError(f"there is no component {name!r}; there are {', '.join(COMPONENTS)}")
    return COMPONENTS[name]


def program_of(component: str, cache_root: Path) -> Path | None:
    """Return the program that runs ``component``; nothing if it is not there (yet)."""
    if component != "grafana":
        return find_binary(component, cache_root)
    found = shutil.which("grafana")
    version = reported_version(found, "--version") if found else None
    return Path(found) if found and version and version >= GRAFANA_MINIMUM else None


def grafana_environment(site: Site, program: Path) -> Mapping[str, str]:
    """Return the settings of a Grafana that was installed by a package manager.

    Grafana is not a Go module that can be built; natively it runs where it is on the PATH. The administrator's
    password comes from ``GRAFANA_ADMIN_PASSWORD`` and has no default.
    """
    beside = program.resolve().parents[1]
    home = beside if (beside / "conf" / "defaults.ini").is_file() else Path("/usr/share/grafana")
    return {
        "GF_PATHS_HOME": os.environ.get("GF_PATHS_HOME", str(home)),
        "GF_PATHS_DATA": str(site.folder("grafana")),
        "GF_PATHS_PROVISIONING": str(write_provisioning(site.folder("grafana") / "provisioning", site.environment())),
        "DASHBOARDS_PATH": str(config_file("grafana", "dashboards")),
        "GF_SERVER_HTTP_ADDR": LOOPBACK,
        "GF_SERVER_HTTP_PORT": str(site.ports.grafana),
        "GF_SECURITY_ADMIN_PASSWORD": os.environ.get("GRAFANA_ADMIN_PASSWORD", ""),
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
    }
