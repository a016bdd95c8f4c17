"""What the ops server asks for; whoever runs it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from opentelemetry.metrics import Meter

    from otel_trading.alerts.model import AlertPayload
    from otel_trading.health.model import HealthReport
    from otel_trading.ops.levels import TemporaryLevels
    from otel_trading.ops.sampling import Sampling
    from otel_trading.risk.emergency import EmergencyState


class Latch(Protocol):
    """The emergency stop."""

    @property
    def state(self) -> EmergencyState: ...
    def stop(self, reason: str, *, by: str = ...) -> bool: ...
    def resume(self, reason: str = ..., *, by: str = ...) -> bool: ...


class Health(Protocol):
    """Who knows how the bot is."""

    def report(self) -> HealthReport: ...


class Alerts(Protocol):
    """Who tells people; what more there is is asked for by name, see ``ops.api.alerts``."""

    def active(self) -> Sequence[AlertPayload]: ...
    def recent(self) -> Sequence[AlertPayload]: ...


class Source(Protocol):
    """What the server shows and changes. Nothing of it raises, but for what an ``OSError`` is said of."""

    @property
    def service(self) -> str:
        """The bot's name."""
        ...

    @property
    def emergency(self) -> Latch: ...
    @property
    def health(self) -> Health: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def levels(self) -> TemporaryLevels: ...
    @property
    def sampling(self) -> Sampling: ...
    @property
    def meter(self) -> Meter:
        """For what the server measures of itself."""
        ...

    @property
    def flight_folder(self) -> Path:
        """Where recordings are."""
        ...

    def render_metrics(self, accept: str) -> tuple[bytes, str]:
        """The metrics as text and their content type; may take a while."""
        ...

    def status_json(self) -> Mapping[str, object]:
        """The state of telemetry; may take a while."""
        ...

    def config_json(self) -> Mapping[str, object]:
        """All options, their values and where each is from, without secrets."""
        ...

    def reload_config(self) -> Sequence[Mapping[str, object]]:
        """Take the configuration files as they are now, and what became of each; may take a while."""
        ...

    def flight_snapshot(self) -> Path | None:
        """Copy what the flight recorder holds; may take a while."""
        ...

    def tell(self, message: str, event: str, fields: Mapping[str, object], *, warn: bool = False) -> None:
        """Write a log line."""
        ...
