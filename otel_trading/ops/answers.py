"""What the running telemetry answers the ops server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from otel_trading.flight.folder import default_folder
from otel_trading.ops.levels import TemporaryLevels
from otel_trading.ops.sampling import Sampling
from otel_trading.resource import service_name
from otel_trading.settings.document import as_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.metrics import Meter

    from otel_trading.logs.lines import Log
    from otel_trading.ops.source import Alerts, Health, Latch
    from otel_trading.settings import Resolved, Settings


class Change(Protocol):
    """What is different from before."""

    @property
    def key(self) -> str: ...


class Outcome(Protocol):
    """What became of a configuration file."""

    @property
    def source(self) -> str: ...
    @property
    def outcome(self) -> str: ...
    @property
    def changes(self) -> Sequence[Change]: ...
    @property
    def later(self) -> Sequence[Change]: ...
    @property
    def hidden(self) -> Sequence[str]: ...
    @property
    def problems(self) -> Sequence[str]: ...


class Reloading(Protocol):
    """Who takes configuration files anew."""

    def reload(self, by: str) -> Sequence[Outcome]: ...


class Running(Protocol):
    """The part of ``Telemetry`` that is asked."""

    resolved: Resolved

    @property
    def reloading(self) -> Reloading: ...

    @property
    def meter(self) -> Any: ...  # noqa: ANN401 - either engine's
    @property
    def tracer_provider(self) -> Any: ...  # noqa: ANN401 - the switch between them
    def log(self, name: str = "") -> Log: ...
    def render_metrics(self, accept: str) -> tuple[bytes, str]: ...
    def status_json(self) -> Mapping[str, object]: ...
    def flight_snapshot(self) -> Path | None: ...


class Answers:
    """See ``Source``."""

    def __init__(self, telemetry: Running, emergency: Latch, health: Health, alerts: Alerts) -> None:
        self._telemetry = telemetry
        self.emergency = emergency
        self.health = health
        self.alerts = alerts
        self.levels = TemporaryLevels()
        self.sampling = Sampling(lambda: telemetry.tracer_provider.real)
        self.render_metrics = telemetry.render_metrics
        self.status_json = telemetry.status_json
        self.flight_snapshot = telemetry.flight_snapshot

    @property
    def service(self) -> str:
        """The bot's name."""
        return service_name(self._settings)

    @property
    def meter(self) -> Meter:
        """For what the server measures of itself."""
        meter: Meter = self._telemetry.meter
        return meter

    @property
    def flight_folder(self) -> Path:
        """Where recordings are."""
        given = self._settings.flight_folder
        return Path(given).expanduser().absolute() if given else default_folder()

    def config_json(self) -> Mapping[str, object]:
        """All options, their values and where each is from, without secrets."""
        return as_json(self._telemetry.resolved)

    def reload_config(self) -> Sequence[Mapping[str, object]]:
        """Take the configuration files as they are now; names of options only, as values may be secret."""
        return [
            {
                "source": each.source,
                "outcome": each.outcome,
                "changed": [change.key for change in each.changes],
                "later": [change.key for change in each.later],
                "hidden": list(each.hidden),
                "problems": list(each.problems),
            }
            for each in self._telemetry.reloading.reload("http")
        ]

    def tell(self, message: str, event: str, fields: Mapping[str, object], *, warn: bool = False) -> None:
        """Write a log line."""
        log = self._telemetry.log("otel_trading.ops")
        told: Any = log.warning if warn else log.info
        told(message, event=event, **fields)

    @property
    def _settings(self) -> Settings:
        return self._telemetry.resolved.settings
