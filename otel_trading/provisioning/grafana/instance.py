"""One Grafana: which version it is, and which of its APIs it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from otel_trading.provisioning.grafana.client import NEWEST, OLDEST
from otel_trading.provisioning.grafana.errors import GrafanaError, UnknownThereError

if TYPE_CHECKING:
    from otel_trading.provisioning.grafana.client import Client

GROUP = "dashboard.grafana.app"
"""The newer API of dashboards, since Grafana 12."""
_CLASSIC = ("v1", "v1beta1")
"""Its versions whose dashboards are classic ones; alpha versions are not relied on."""
_WITH_APPS, _WITH_V2 = 12, 13
_SUPPOSED = ("v2", "v2beta1", "v1", "v1beta1")
"""What a Grafana that stores the newer schema serves, where the token may not ask: never read it with loss instead."""


@dataclass(frozen=True, slots=True)
class Instance:
    """What is known of a Grafana.

    Args:
        version: as it says, such as ``12.1.0``; empty where it hides it.
        namespace: where its newer API keeps things, such as ``default``.
        served: the versions of that API, such as ``v1beta1``; none before Grafana 12.

    """

    version: str
    namespace: str
    served: tuple[str, ...]

    @property
    def major(self) -> int | None:
        """The major version."""
        found = re.match(r"(\d+)\.", self.version)
        return int(found[1]) if found else None

    @property
    def classic(self) -> str | None:
        """The version of the newer API which speaks of classic dashboards; None where there is none."""
        return next((version for version in _CLASSIC if version in self.served), None)

    @property
    def caution(self) -> str | None:
        """What somebody should know before going on."""
        if self.major is None:
            return "Grafana hides its version; what is not there is found out on the way"
        if self.major > NEWEST:
            return f"Grafana {self.version} is newer than {NEWEST}, the last one this was written for"
        return None


def instance(client: Client) -> Instance:
    """What there is behind a client.

    Raises:
        GrafanaError: it does not answer, refuses the token, or is older than Grafana 9.

    """
    settings = client.get("/api/frontend/settings")
    if not isinstance(settings, dict):
        raise GrafanaError(f"{client.place.url} has no settings of Grafana: is the address right?")
    version = str((settings.get("buildInfo") or {}).get("version") or "")
    if not version:
        version = str((client.get("/api/health") or {}).get("version") or "")
    found = Instance(version, _namespace(client, settings), ())
    if found.major is not None and found.major < OLDEST:
        raise GrafanaError(f"Grafana {version} is too old: this needs {OLDEST} or newer")
    if found.major is not None and found.major < _WITH_APPS:
        return found
    return Instance(found.version, found.namespace, _served(client, found.major))


def _namespace(client: Client, settings: dict[str, Any]) -> str:
    if isinstance(settings.get("namespace"), str) and settings["namespace"]:
        return str(settings["namespace"])
    return "default" if client.place.org in (None, 1) else f"org-{client.place.org}"


def _served(client: Client, major: int | None) -> tuple[str, ...]:
    try:
        groups = (client.get("/apis") or {}).get("groups") or []
    except (UnknownThereError, GrafanaError) as error:
        if error.status in {403, 404, 406}:
            return _SUPPOSED if major is not None and major >= _WITH_V2 else ()
        raise
    for group in groups:
        if group.get("name") == GROUP:
            return tuple(str(each["version"]) for each in group.get("versions") or [] if "version" in each)
    return ()
